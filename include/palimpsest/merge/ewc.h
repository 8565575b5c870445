#pragma once
// Elastic weight consolidation (Kirkpatrick et al., PNAS 2017) as a penalty while a task is
// trained: a baseline, not in the paper.
#include <span>
#include <vector>

#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {

// 1/2 Delta' diag(curvature) Delta + slope . Delta over the flat adapted vector. Empty: zero.
struct QuadraticPenalty {
  std::vector<float> curvature, slope;
};

// lambda/2 sum_i (theta - theta_i*)' F_i (theta - theta_i*) over the tasks in the memory, up to a
// constant, at theta = merged + Delta: curvature = lambda S0, slope = lambda (S0 * merged - S1).
// Computed in double, rounded once.
QuadraticPenalty ewc_penalty(double lambda, const CurvatureMemory& memory,
                             std::span<const float> merged);

}  // namespace palimpsest
