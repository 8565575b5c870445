#pragma once
// What the stream remembers of its tasks: two numbers per adapted weight, however many tasks there
// were.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "palimpsest/core/module_share.h"
#include "palimpsest/core/named_tensors.h"

namespace palimpsest {

// The two sums of the closed form along a direction: alpha = numerator / denominator.
struct LineTerms {
  double numerator = 0;
  double denominator = 0;
};

// S0 = sum_i F_i and S1 = sum_i F_i * theta_i* in double (docs/how-it-works.md, "Stage 2"); weights
// are flat adapted vectors measured from theta_hat_0.
class CurvatureMemory {
 public:
  explicit CurvatureMemory(std::size_t size) : s0_(size), s1_(size) {}
  // From a saved state. Throws Error when the sizes differ.
  CurvatureMemory(std::vector<double> s0, std::vector<double> s1);

  // Takes in one task: S0 += factor F, S1 += factor F theta*. Throws Error when a size differs,
  // when F has a negative or a value is not finite; the memory is then as it was. The number of
  // `threads` doesn't change a bit.
  void add(std::span<const float> fisher, std::span<const float> task_weights, double factor = 1,
           int threads = 1);

  // Takes a task out that was taken in with these numbers: what is left equals the sums over the
  // others up to rounding. An element of S0 that rounding would leave under 0 is 0.
  void remove(std::span<const float> fisher, std::span<const float> task_weights, double factor = 1,
              int threads = 1);

  // -(S0 * merged - S1) . direction over the elements first .. first + direction.size() - 1: how
  // steeply the loss of the tasks so far falls along it.
  double slope(std::span<const float> merged, std::span<const float> direction,
               std::size_t first = 0) const;

  // S0 . direction^2 over those elements: how sharply the loss of the tasks so far rises along it.
  double mass(std::span<const float> direction, std::size_t first = 0) const;

  std::size_t size() const { return s0_.size(); }
  std::span<const double> s0() const { return s0_; }
  std::span<const double> s1() const { return s1_; }
  // S0 and S1, moved out.
  std::pair<std::vector<double>, std::vector<double>> release() && {
    return {std::move(s0_), std::move(s1_)};
  }

 private:
  void check(std::span<const float> fisher, std::span<const float> task_weights,
             double factor) const;
  void check_range(std::size_t first, std::size_t count) const;

  std::vector<double> s0_, s1_;
};

// Where S0 and S1 are among what the parts of a run keep: "curvature/<kind>:scale=<scale>".
std::string curvature_instance(std::string_view kind, std::string_view scale);

// S0 and S1 of an instance, moved out of a run's memory and back; of size 0 for the instance "".
CurvatureMemory take_curvature(NamedTensors& memory, const std::string& instance);
void put_curvature(NamedTensors& memory, const std::string& instance, CurvatureMemory curvature);

// direction' F direction for one Fisher, in double.
double quadratic_form(std::span<const float> fisher, std::span<const float> direction);

// 1/2 (weights - optimum)' F (weights - optimum), in double: by how much the loss rises from the
// optimum to the weights.
double quadratic_rise(std::span<const float> fisher, std::span<const float> weights,
                      std::span<const float> optimum);
// The same of all modules, as a sum_by_module().
double quadratic_rise(const AdaptedLayout& layout, const ModuleShare* share,
                      std::span<const float> fisher, std::span<const float> weights,
                      std::span<const float> optimum);

}  // namespace palimpsest
