#pragma once
// The numbers that a summary has of a run's accuracies, as the field calls them.
#include <optional>
#include <span>
#include <string>

#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// A number of stream_metrics().
struct Measure {
  std::string key, name, meaning;
  bool is_difference;  // points of percent, rather than percent
};
std::span<const Measure> measures();
// nullopt where it is not defined.
std::optional<double> measure_value(const Measure& measure, const AccuracyMatrix& accuracy);

}  // namespace palimpsest
