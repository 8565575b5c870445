#pragma once
// Stage 1 of Perturb-and-Merge: each step sees the task vector at another length
// (docs/how-it-works.md, "Stage 1"). All draws are functions of (seed, task, step) alone, so that
// every rank at every world size has the same.
#include <cstdint>
#include <vector>

#include "palimpsest/config/run_config.h"

namespace palimpsest {

// --perturbation sign: c in {1 - epsilon, 1, 1 + epsilon}, each with probability 1/3.
// epsilon = 0: always 1.
double perturbation_scale(std::uint64_t seed, std::int64_t task, std::int64_t step, double epsilon);

// --perturbation uniform: c uniform in [1/t, 1] for the t-th task (`task` + 1).
double uniform_scale(std::uint64_t seed, std::int64_t task, std::int64_t step);

// --perturbation stratified: a c for every sample by its position in the global batch, a third of
// them 1 - epsilon, 1 and 1 + epsilon each. What is left of a batch that is no multiple of three
// goes to scales that are drawn anew each step: every position has each scale with probability 1/3.
std::vector<float> stratified_scales(std::uint64_t seed, std::int64_t task, std::int64_t step,
                                     std::int64_t samples, double epsilon);

// --perturbation gaussian: noise on every adapted weight, normal with this standard deviation
// relative to the root mean square of Delta, so that its expected square is that of (c - 1) Delta
// for a sign.
double noise_size(double epsilon);
// What the noise of a step is drawn from.
std::uint64_t noise_seed(std::uint64_t seed, std::int64_t task, std::int64_t step);

// How a step is perturbed, for any --perturbation.
struct Perturbation {
  double c = 1;                       // of the step; the mean of by_sample
  std::vector<float> by_sample = {};  // by position in the global batch; empty: c for all
  std::uint64_t noise_seed = 0;       // gaussian
};
Perturbation perturbation_of(const RunConfig& config, std::int64_t task, std::int64_t step,
                             std::int64_t samples);

}  // namespace palimpsest
