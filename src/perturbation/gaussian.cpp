// The paper's control: normal noise on every adapted weight, whose expected square is that of
// (c - 1) Delta for the sign: epsilon^2 2/3.
#include <cmath>

#include "perturbations.h"

namespace palimpsest {
namespace {

class Gaussian : public Perturbation {
 public:
  explicit Gaussian(const KindSettings& settings) : epsilon_(settings.number("epsilon")) {}

  StepPerturbation draw(const StepName& step, std::int64_t) const override {
    RandomStream stream = step_stream(step);
    const std::uint64_t high = stream.next();
    return {.noise_seed = (high << 32) | stream.next()};
  }

  double noise_size() const override { return epsilon_ * std::sqrt(2.0 / 3); }

 private:
  double epsilon_;
};

}  // namespace

PerturbationKind gaussian_perturbation() {
  return {.name = "gaussian",
          .help = "Normal noise with the length of sign's steps, the paper's control. fp32 only.",
          .keys = {epsilon_key()},
          .make = make_kind<Gaussian>};
}

}  // namespace palimpsest
