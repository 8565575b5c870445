#pragma once
// The covariance of each class's features, as far as its samples say: those of n samples have at
// most n - 1 directions, so a few rows take the place of [features, features] numbers. And the
// distances that FeCAM measures with them (Goswami et al., NeurIPS 2023).
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "feature_sums.h"

namespace palimpsest {

inline constexpr std::int64_t kMostDirections = 128;  // of a class

// factor' factor + rest I, on the host.
struct ClassCovariance {
  at::Tensor factor;  // [directions, features], float64: orthogonal rows, at least one
  double rest = 0;    // the mean variance of the directions that are not kept
};

// rows' rows + rest I, by its eigenvectors of the kMostDirections largest eigenvalues.
ClassCovariance compressed(const at::Tensor& rows, double rest);

// Of every class of a task around its mean, over n - 1; of one sample: zero.
std::vector<ClassCovariance> class_covariances(const TaskFeatures& task, const ClassMeans& means);

// Of all classes seen, the newest task's with it. `known_means`, `task_means`: of each alone.
std::vector<ClassCovariance> joined_covariances(std::vector<ClassCovariance> known,
                                                const ClassMeans& known_means,
                                                const std::vector<ClassCovariance>& task,
                                                const ClassMeans& task_means,
                                                const ClassesSeen& seen);

// Kept by every rank under `instance` as "factor", the rows of all classes, "directions", how many
// each has, and "rest".
std::vector<ClassCovariance> class_covariances_in(const NamedTensors& memory,
                                                  const std::string& instance,
                                                  std::int64_t features);
void put_class_covariances(NamedTensors& memory, const std::string& instance,
                           const std::vector<ClassCovariance>& covariances);
std::vector<std::string> class_covariance_names(const std::string& instance);

// What FeCAM measures: with S = covariance + shrink mean(diagonal) I and its correlation matrix C =
// D^-1/2 S D^-1/2, minus half of (f - mean)' C^-1 (f - mean). Where samples don't vary C is I.
class CorrelationDistances {
 public:
  CorrelationDistances(const std::vector<ClassCovariance>& covariances, const at::Tensor& means,
                       double shrink, const at::TensorOptions& options);

  // [samples, features] -> [samples, classes]
  at::Tensor operator()(const at::Tensor& features) const;

 private:
  // (f - mean)' C^-1 (f - mean) is |scale x|^2 - |factor x|^2.
  struct Distance {
    at::Tensor mean, scale, factor;
  };
  std::vector<Distance> distances_;
};

}  // namespace palimpsest
