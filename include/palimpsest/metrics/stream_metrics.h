#pragma once
// Every number that the field reads from a stream's accuracy matrix, by name: for tables, JSON and
// means over seeds. Definitions: docs/how-it-works.md, "Metrics".
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/scores.h"

namespace palimpsest {

// (1/T) sum_t (best[t] - R[t][t]): what the stream has not learned of what could be learned; `best`
// is each task's accuracy in a joint run, or the best known. Throws Error unless there is one per
// task.
double intransigence(const AccuracyMatrix& accuracy, std::span<const double> best);

struct NamedMetric {
  std::string name;
  std::optional<double> value;  // nothing where it is not defined
  Unit unit = Unit::kShare;
};

// In a fixed order, names without spaces; of at least one task. What is read from the primary score
// first, then the last mean of every known score, and of every other one of the newest rows.
// Forward transfer is among them without a value: a task's head doesn't exist before the task.
std::vector<NamedMetric> stream_metrics(const AccuracyMatrix& accuracy);

// Over runs that differ in their seed.
struct Spread {
  double mean = 0;
  std::optional<double> deviation = {};  // of a sample: divided by n - 1; nothing for a single run
};
Spread spread(std::span<const double> values);

}  // namespace palimpsest
