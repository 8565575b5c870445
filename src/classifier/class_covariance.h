#pragma once
// The covariances of classes between tasks, and the distances that FeCAM measures with them
// (Goswami et al., NeurIPS 2023).
#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

#include "feature_sums.h"
#include "palimpsest/head/low_rank_covariance.h"

namespace palimpsest {

// Of every class of a task around its mean, over n - 1; of one sample: zero.
std::vector<LowRankCovariance> class_covariances(const TaskFeatures& task, const ClassMeans& means);

// Of all classes seen, the newest task's with it. `known_means`, `task_means`: of each alone.
std::vector<LowRankCovariance> joined_covariances(std::vector<LowRankCovariance> known,
                                                  const ClassMeans& known_means,
                                                  const std::vector<LowRankCovariance>& task,
                                                  const ClassMeans& task_means,
                                                  const ClassesSeen& seen);

// Kept by every rank under `instance` as "factor", the rows of all classes, "directions", how many
// each has, and "rest".
std::vector<LowRankCovariance> class_covariances_in(const NamedTensors& memory,
                                                    const std::string& instance,
                                                    std::int64_t features);
void put_class_covariances(NamedTensors& memory, const std::string& instance,
                           const std::vector<LowRankCovariance>& covariances);
std::vector<std::string_view> class_covariance_arrays();  // these names

// What FeCAM measures: with S = covariance + shrink mean(diagonal) I and its correlation matrix C =
// D^-1/2 S D^-1/2, minus half of (f - mean)' C^-1 (f - mean). Where samples don't vary C is I.
class CorrelationDistances {
 public:
  CorrelationDistances(const std::vector<LowRankCovariance>& covariances, const at::Tensor& means,
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
