#pragma once
// Accuracy and loss along the line of one merge: theta_hat_{T-1} + alpha Delta_T.
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

struct SweepPoint {
  double alpha = 0;
  EvaluationRow row;  // over all tasks seen
};

struct Sweep {
  std::size_t task = 0;                 // T - 1: whose merge it is
  std::vector<SweepPoint> points = {};  // alpha rising
  std::size_t best = 0;                 // of the points: best_point()
  // The run's own merge, where it is on the line.
  std::optional<std::size_t> own = {};
  std::optional<double> own_unclamped = {};  // of the closed form
  std::string remark = {};                   // why there is no own point, or ""
};

// 0, 1/(points - 1), ..., 1, and `own` among them. Throws Error when points < 2.
std::vector<double> sweep_alphas(std::size_t points, std::optional<double> own);

// The greatest accuracy over all tasks' samples (`given_task`: choosing among the task's classes),
// then the least of the scores whose less is better, then the least alpha. Throws Error without a
// point.
std::size_t best_point(std::span<const SweepPoint> points, bool given_task);

}  // namespace palimpsest
