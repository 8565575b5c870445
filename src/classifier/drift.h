#pragma once
// Where the features of old classes have gone while the backbone learned a task: a linear map,
// fitted on the task's own samples before and after (the linear variant of SLDC; Rao et al., AAAI
// 2026).
#include <ATen/core/Tensor.h>

#include <vector>

#include "class_covariance.h"
#include "feature_sums.h"

namespace palimpsest {

// A [features, features], float64, where the model is: f after the task is about A f before it.
// Rows: the same samples before and after.
at::Tensor drift_map(const at::Tensor& before, const at::Tensor& after);

ClassMeans moved(const ClassMeans& means, const at::Tensor& map);
at::Tensor moved_covariance(const at::Tensor& covariance, const at::Tensor& map);
std::vector<LowRankCovariance> moved(const std::vector<LowRankCovariance>& covariances,
                                     const at::Tensor& map);

}  // namespace palimpsest
