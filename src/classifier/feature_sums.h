#pragma once
// What the classifiers have in common that are computed from sums of features: rank 0 alone adds
// up and solves, in blocks of rows of a fixed size and in float64, so that the bits are the same at
// every number of ranks; what every rank needs to answer is sent to all.
#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/classifier/classifier.h"

namespace palimpsest {

// Variances below this times the mean square are rounding: float32 features have 24 bits.
inline constexpr double kLeastVariance = 1e-14;

// A classifier whose memory is arrays of all tasks under its instance.
class SumsClassifier : public Classifier {
 public:
  using Classifier::Classifier;

  std::vector<NeededMemory> needs(std::int64_t tasks) const final;
  std::vector<NeededMemory> needs_to_answer(std::int64_t tasks) const final;

 protected:
  std::string array(std::string_view name) const;

 private:
  using Names = std::vector<std::string_view>;
  virtual Names answers_from() const = 0;        // what scores() reads
  virtual Names learns_from() const = 0;         // what the next task's learn() reads besides
  virtual std::string_view gathers() const = 0;  // in words: "the sums of its tasks"

  std::vector<NeededMemory> needed(const Names& names) const;
};

// A task's training samples, where the model is.
struct TaskFeatures {
  at::Tensor rows;     // [samples, features], float32
  at::Tensor targets;  // [samples], int64: the classes of the task
  std::int64_t classes = 0;

  std::int64_t samples() const { return rows.size(0); }
  std::int64_t features() const { return rows.size(1); }
  // What is chosen is chosen by every fifth sample, from a fit of the others.
  TaskFeatures fitted() const { return part(false); }
  TaskFeatures kept_out() const { return part(true); }

 private:
  TaskFeatures part(bool kept_out) const;
};

// Collective. Throws DivergedError, on every rank alike, for features that are not finite.
TaskFeatures task_features(TaskPasses& passes, const AdaptedWeights& weights);

// Collective: rank 0 changes its memory, and what every rank keeps under `instance` is sent to all.
void learn_on_root(TaskPasses& passes, NamedTensors& memory, const std::string& instance,
                   const std::function<void()>& change);

// Blocks of rows, in float64, with the classes as one-hot rows [rows, classes].
void for_each_block(
    const TaskFeatures& task,
    const std::function<void(const at::Tensor& rows, const at::Tensor& labels)>& visit);

// square [n, n] += rows' rows, of which the upper triangle alone is right.
void add_products(const at::Tensor& square, const at::Tensor& rows);

// The upper triangle of a square matrix, row by row; and the matrix with zeros below it.
std::vector<double> packed_triangle(const at::Tensor& square);
at::Tensor unpacked_triangle(std::span<const double> packed, std::int64_t size, at::Device device);
at::Tensor symmetric(const at::Tensor& upper);  // from the upper triangle

std::vector<double> to_doubles(const at::Tensor& tensor);
// Float64, on the host.
at::Tensor from_doubles(std::span<const double> values, at::IntArrayRef shape);

// How many samples a class has had, and the mean of their features. On the host, float64.
struct ClassMeans {
  at::Tensor counts;  // [classes]
  at::Tensor means;   // [classes, features]; zeros for a class without a sample
};
ClassMeans class_means(const TaskFeatures& task);

// Kept under `instance` as "count" and "mean"; of no class where there is nothing.
ClassMeans class_means_in(const NamedTensors& memory, const std::string& instance,
                          std::int64_t features);
void put_class_means(NamedTensors& memory, const std::string& instance, const ClassMeans& means,
                     Keeper keeper);
// Throws Error for arrays of other shapes.
void check_class_means(const NamedTensors& memory, const std::string& instance,
                       const ClassesSeen& seen, std::int64_t features);

// Of all classes seen, the newest task's with it. Throws Error for a class without a sample.
ClassMeans joined_means(const ClassMeans& known, const ClassMeans& task, const ClassesSeen& seen);
// Rows of the newest task among those of all classes.
inline at::Tensor newest_rows(const at::Tensor& all, const ClassesSeen& seen) {
  return all.narrow(0, seen.first(seen.by_task.size() - 1), seen.by_task.back());
}

// Each row and a scalar product with each class, plus a bias where there is one: what `weight` and
// `bias` under `instance` answer.
ClassScores linear_scores(const NamedTensors& memory, const std::string& instance,
                          const ClassesSeen& seen, at::Device device);

// The number of a key that takes "auto", for which this returns none.
std::optional<double> number_or_auto(const KindSettings& settings, std::string_view key);

}  // namespace palimpsest
