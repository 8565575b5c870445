#pragma once
// Random inputs of merges, and the quadratic that the closed form is about.
#include <cmath>
#include <vector>

#include "palimpsest/core/random.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/merge/task_vector.h"

namespace palimpsest {

inline std::vector<float> random_values(std::size_t size, std::uint64_t index, double bound = 1,
                                        bool positive = false) {
  std::vector<float> values(size);
  fill_uniform(values, bound, RandomStream(17, Purpose::kTest, 0, index));
  if (positive) {
    for (float& value : values) value = std::abs(value);
  }
  return values;
}

// A stream of some tasks on two modules: Fishers and optima of those before, and a new task's
// low-rank vector.
struct RandomStreamOfTasks {
  AdaptedLayout layout{{{.name = "a", .out = 4, .in = 5}, {.name = "b", .out = 6, .in = 3}}};
  std::vector<std::vector<float>> fishers, optima;  // the new task's last
  std::vector<float> merged, delta, a[2], b[2];
  CurvatureMemory memory{38};
  std::vector<LowRankFactors> factors;

  RandomStreamOfTasks(const RandomStreamOfTasks&) = delete;
  explicit RandomStreamOfTasks(std::uint64_t trial, std::int64_t rank = 2) {
    std::uint64_t index = 100 * trial;
    const auto size = static_cast<std::size_t>(layout.size());
    merged = random_values(size, ++index);
    delta.resize(size);
    for (std::size_t m = 0; m < 2; ++m) {
      const AdaptedModule& module = layout.modules()[m];
      a[m] = random_values(static_cast<std::size_t>(rank * module.in), ++index);
      b[m] = random_values(static_cast<std::size_t>(rank * module.out), ++index);
      factors.push_back({.a = a[m], .b = b[m], .rank = rank, .scale = 0.5});
      task_vector(a[m], b[m], rank, module.out, module.in, 0.5,
                  std::span(delta).subspan(static_cast<std::size_t>(module.offset),
                                           static_cast<std::size_t>(module.size())));
    }
    for (int task = 0; task < 3; ++task) {
      fishers.push_back(random_values(size, ++index, 1, true));
      optima.push_back(random_values(size, ++index));
    }
    optima.back() = merged;
    add_scaled(optima.back(), 1, delta);
    for (std::size_t task = 0; task < 3; ++task) memory.add(fishers[task], optima[task]);
  }

  MergeInput input() const {
    return {.task = 2,
            .merged = merged,
            .task_vector = delta,
            .layout = layout,
            .memory = memory,
            .fisher = fishers.back(),
            .factors = factors};
  }

  // Q(theta) = 1/2 sum_i (theta - theta_i*)' F_i (theta - theta_i*)
  double quadratic(std::span<const float> theta) const {
    double q = 0;
    for (std::size_t task = 0; task < fishers.size(); ++task) {
      for (std::size_t i = 0; i < theta.size(); ++i) {
        const double away = static_cast<double>(theta[i]) - optima[task][i];
        q += 0.5 * fishers[task][i] * away * away;
      }
    }
    return q;
  }
};

struct MergeOfInput {
  RuleOutput output;
  std::vector<float> weights;
};

inline MergeOfInput merged_by(std::string_view rule, const MergeInput& input) {
  MergeOfInput outcome;
  outcome.weights.resize(input.merged.size());
  outcome.output = make_merge_rule(rule)->merge(input, outcome.weights);
  return outcome;
}

}  // namespace palimpsest
