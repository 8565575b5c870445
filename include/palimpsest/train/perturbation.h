#pragma once
// Stage 1 of Perturb-and-Merge: each step sees the task vector at one of three lengths.
#include <cstdint>

namespace palimpsest {

// c in {1 - epsilon, 1, 1 + epsilon}, each with probability 1/3 (docs/how-it-works.md, "Stage 1"):
// a function of (seed, task, step) alone, so that every rank at every world size draws the same.
// epsilon = 0: always 1.
double perturbation_scale(std::uint64_t seed, std::int64_t task, std::int64_t step, double epsilon);

}  // namespace palimpsest
