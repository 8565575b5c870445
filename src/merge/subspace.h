#pragma once
// The lowest point of Q in subspaces finer than the line along Delta_t, each level drawn towards
// the coarser one (docs/how-it-works.md, "Merge rules"). x is theta - theta_hat_{t-1}.
#include <vector>

#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/merge/thin_svd.h"

namespace palimpsest {

// One coefficient per module, in [0, 1]: U are the modules' parts of Delta. `alpha`: of the whole,
// the coarser level. shrink: lambda >= 0. A module that S0 doesn't see keeps alpha.
std::vector<double> module_coefficients(std::span<const LineTerms> terms, double alpha,
                                        double shrink);

struct DirectionalStep {
  std::vector<ThinSvd> directions;   // by module
  std::vector<double> coefficients;  // in [0, 1]; rank of them a module, module after module
};

// One coefficient per singular direction of each module's Delta. `by_module`: the coarser level.
DirectionalStep directional_step(const MergeInput& input, std::span<const double> by_module,
                                 double shrink);

// result = theta_hat + sum_m a_m Delta_m + sum_k (a_k - a_m) u_k v_k'. Rounded once; where all a_k
// are a_m, it is the merge by module to the last bit.
void apply(const MergeInput& input, std::span<const double> by_module, const DirectionalStep* step,
           std::span<float> result);

// Every coordinate by itself: (S1 + p coarse) / (S0 + p), p = shrink * mean(S0); theta_hat where
// that is 0 / 0. Where shrink > 0, `result` is the coarser level on entry.
void merge_by_coordinate(const MergeInput& input, double shrink, std::span<float> result);

}  // namespace palimpsest
