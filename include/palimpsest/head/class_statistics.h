#pragma once
// Mean and covariance of the features of each class, and features drawn from the normal
// distribution that has them: what remains of a task's data when its heads are aligned with later
// ones (classifier local:align=gaussian).
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/head/low_rank_covariance.h"

namespace palimpsest {

// float32, on the host. The covariance of class c is factor[c]' factor[c] + rest[c] I.
struct ClassStatistics {
  at::Tensor mean;    // [classes, features]
  at::Tensor factor;  // [classes, rank, features]; rows of zeros where a class has fewer
  at::Tensor rest;    // [classes]

  std::int64_t classes() const { return mean.size(0); }
};

// [classes, features]. features: [samples, features], row-major; targets: the class of each row,
// below `classes`. Sums in float64 in the order of the samples, rounded once. Throws Error when a
// class has no sample.
std::vector<float> class_means(std::span<const float> features,
                               std::span<const std::int64_t> targets, std::int64_t classes);

// Covariance over n - 1, as a low_rank_covariance; none for a single sample. Computed in float64 on
// the host. Calls progress_made() for each class. Throws Error when a class has no sample.
ClassStatistics class_statistics(const at::Tensor& features, std::span<const std::int64_t> targets,
                                 std::int64_t classes);

// What a draw is a function of, with its number.
struct ClassDraws {
  std::uint64_t seed = 1;
  std::int64_t task = 0;   // the newest
  std::int64_t label = 0;  // of the class among all
  std::int64_t first = 0, count = 0;
};

// [count, features] on the host: normal, with `mean_factor` times the mean of class c of the
// statistics and its covariance + `ridge` I.
at::Tensor draw_features(const ClassStatistics& statistics, std::int64_t c, double mean_factor,
                         double ridge, const ClassDraws& draws);

}  // namespace palimpsest
