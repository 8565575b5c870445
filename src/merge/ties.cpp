// TIES: trim each task vector to its largest elements, elect a sign by element, average what agrees
// with it (Yadav et al., "TIES-Merging: Resolving Interference When Merging Models", NeurIPS 2023).
#include <algorithm>
#include <cmath>

#include "task_sum.h"

namespace palimpsest {
namespace {

// The smallest magnitude that stays: the ceil(density * size)-th largest.
float threshold(std::span<const float> vector, double density) {
  if (vector.empty()) return 0;
  std::vector<float> magnitudes;
  for (const float value : vector) magnitudes.push_back(std::abs(value));
  const auto kept =
      static_cast<std::ptrdiff_t>(std::ceil(density * static_cast<double>(magnitudes.size())));
  const auto last =
      magnitudes.begin() + std::clamp<std::ptrdiff_t>(kept, 1, std::ssize(vector)) - 1;
  std::nth_element(magnitudes.begin(), last, magnitudes.end(), std::greater<>());
  return *last;
}

class Ties : public MergeRule {
 public:
  explicit Ties(KindSettings chosen)
      : MergeRule(std::move(chosen)),
        density_(settings().number("density")),
        scale_(settings().number("scale")) {}
  MergeNeeds needs() const override { return all_task_vectors(Origin::kPretrained); }
  RuleOutput merge(const MergeInput& input, std::span<float> result) const override {
    const auto vectors = checked_task_vectors(input, result);
    std::vector<float> thresholds;
    for (const auto vector : vectors) {
      thresholds.push_back(threshold(vector, density_));
      progress_made();
    }
    return write_scaled(scale_, result, [&](std::size_t i) {
      double positive = 0, negative = 0, positives = 0, negatives = 0;
      for (std::size_t task = 0; task < vectors.size(); ++task) {
        const double value = vectors[task][i];
        if (std::abs(value) < thresholds[task] || value == 0) continue;
        (value > 0 ? positive : negative) += value;
        (value > 0 ? positives : negatives) += 1;
      }
      const double sum = positive + negative;  // its sign is elected
      if (sum == 0) return 0.0;
      return sum > 0 ? positive / positives : negative / negatives;
    });
  }

 private:
  double density_, scale_;
};

}  // namespace

RuleKind ties_kind() {
  return {.name = "ties",
          .help =
              "Keep the largest elements of each task vector, elect a sign for each element, and "
              "average those that agree (TIES).",
          .keys = {{.name = "density",
                    .default_value = 0.2,
                    .minimum = 0,
                    .maximum = 1,
                    .above_minimum = true},
                   scale_key(1.0)},
          .make = make_kind<Ties>};
}

}  // namespace palimpsest
