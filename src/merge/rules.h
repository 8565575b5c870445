#pragma once
// What the files of the rules share.
#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {

// theta_hat_t = theta_hat_{t-1} + alpha Delta_t into `result`.
void merge_on_line(const MergeInput& input, double alpha, std::span<float> result);

// Throws Error when a vector of the input or `result` hasn't the layout's size.
void check_sizes(const MergeInput& input, std::span<const float> result);

}  // namespace palimpsest
