#pragma once
// What the files of the curvatures share.
#include <functional>

#include "palimpsest/curvature/curvature.h"

namespace palimpsest {

// The keys of every kind: `scale`, `samples`.
std::vector<SettingSpec> curvature_keys();

// With G_n = sum_tau g_{n,tau} x_{n,tau}^T the gradient of a sample's loss on the [out, in] matrix,
// adds sum_n G_n^2 for each backward pass that `backward` makes from the features.
using BackwardPasses = std::function<void(const at::Tensor& features)>;
void add_squared_gradients(const CurvaturePass& pass, const BackwardPasses& backward);

// The same from Objective::logits. Returns the summed loss.
using LogitsBackwardPasses = std::function<void(const at::Tensor& logits)>;
at::Tensor add_squares_by_logits(const CurvaturePass& pass, const LogitsBackwardPasses& backward);

}  // namespace palimpsest
