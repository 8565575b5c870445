#pragma once
// Cross-entropy over a vocabulary. The logits of all rows, [rows, vocabulary], never exist
// together: rows go through the output layer in chunks.
#include <ATen/core/Tensor.h>

namespace palimpsest {

// hidden: [rows, width] float32; output: [vocabulary, width], a constant in the precision of the
// products; targets: [rows] int64. Returns [rows] float32, in nats: 0, with gradient 0, where the
// target is kNoTarget. The gradient towards `hidden` is formed in the forward pass.
at::Tensor token_losses(const at::Tensor& hidden, const at::Tensor& output,
                        const at::Tensor& targets);

struct TokenOutcomes {
  at::Tensor losses;        // as token_losses()
  at::Tensor is_likeliest;  // [rows] bool: the target has the greatest logit
};
// The same without a gradient, and whether greedy decoding would choose each target.
TokenOutcomes token_outcomes(const at::Tensor& hidden, const at::Tensor& output,
                             const at::Tensor& targets);

}  // namespace palimpsest
