#pragma once
// Mean and variance of the features of each class, and features drawn from them: what remains of a
// task's data when its heads are aligned with later ones (classifier local:align=N).
#include <cstdint>
#include <span>
#include <vector>

namespace palimpsest {

struct ClassStatistics {
  std::int64_t classes = 0, features = 0;
  std::vector<float> mean, variance;  // [classes, features]
  bool operator==(const ClassStatistics&) const = default;
};

// features: [samples, features], row-major; targets: the class of each row, below `classes`. Sums
// in float64 in the order of the samples, rounded once; variance over n - 1, 0 for a single sample.
// Throws Error when a class has no sample.
ClassStatistics class_statistics(std::span<const float> features,
                                 std::span<const std::int64_t> targets, std::int64_t classes);

// Appends `draws` rows for each class: independent normal numbers of its mean and variance, drawn
// by (seed, task, class, draw), where the first class has the number `first_class`.
void draw_features(const ClassStatistics& statistics, std::uint64_t seed, std::int64_t task,
                   std::int64_t first_class, std::int64_t draws, std::vector<float>& rows);

}  // namespace palimpsest
