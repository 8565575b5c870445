#include "palimpsest/model/token_losses.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "palimpsest/core/chunk_sizes.h"
#include "palimpsest/data/batch.h"

namespace palimpsest {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::int64_t rows_of_chunk(const at::Tensor& output) {
  return std::max<std::int64_t>(1, logits_at_a_time(output.is_cpu()) / output.size(0));
}

// With p = softmax(h W^T), the gradient of -log p[target] towards h is (p - onehot(target)) W.
// gradient: [rows, width] to write, or undefined.
TokenOutcomes outcomes(const at::Tensor& hidden, const at::Tensor& output,
                       const at::Tensor& targets, const at::Tensor& gradient) {
  TokenOutcomes all{
      .losses = at::empty({hidden.size(0)}, hidden.options().dtype(at::kFloat)),
      .is_likeliest = at::empty({hidden.size(0)}, targets.options().dtype(at::kBool))};
  const std::int64_t size = rows_of_chunk(output);
  for (std::int64_t first = 0; first < hidden.size(0); first += size) {
    const std::int64_t rows = std::min(size, hidden.size(0) - first);
    const auto part = [&](const at::Tensor& whole) { return whole.narrow(0, first, rows); };
    const at::Tensor is_none = part(targets).eq(kNoTarget);
    const at::Tensor target = part(targets).clamp_min(0);
    at::Tensor logits = at::linear(part(hidden).to(output.scalar_type()), output).to(at::kFloat);
    const auto [greatest, likeliest] = logits.max(1);
    const at::Tensor own = logits.gather(1, target.unsqueeze(1)).squeeze(1);
    const at::Tensor exponentials = logits.sub_(greatest.unsqueeze(1)).exp_();
    const at::Tensor sum = exponentials.sum(1);
    part(all.losses).copy_(greatest.add(sum.log()).sub_(own).masked_fill_(is_none, 0));
    part(all.is_likeliest).copy_(likeliest.eq(target).logical_and_(is_none.logical_not()));
    if (!gradient.defined()) continue;
    part(gradient).copy_(exponentials.to(output.scalar_type())
                             .mm(output)
                             .to(at::kFloat)
                             .div_(sum.unsqueeze(1))
                             .sub_(output.index_select(0, target))
                             .masked_fill_(is_none.unsqueeze(1), 0));
  }
  return all;
}

class TokenLosses : public torch::autograd::Function<TokenLosses> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden,
                            const at::Tensor& output, const at::Tensor& targets) {
    const at::Tensor gradient = at::empty(hidden.sizes(), hidden.options().dtype(at::kFloat));
    context->save_for_backward({gradient});
    return outcomes(hidden, output, targets, gradient).losses;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {context->get_saved_variables()[0] * gradients[0].unsqueeze(1), {}, {}};
  }
};

}  // namespace

at::Tensor token_losses(const at::Tensor& hidden, const at::Tensor& output,
                        const at::Tensor& targets) {
  if (c10::GradMode::is_enabled() && hidden.requires_grad())
    return TokenLosses::apply(hidden, output, targets);
  return outcomes(hidden, output, targets, {}).losses;
}

TokenOutcomes token_outcomes(const at::Tensor& hidden, const at::Tensor& output,
                             const at::Tensor& targets) {
  const c10::NoGradGuard no_grad;
  return outcomes(hidden, output, targets, {});
}

}  // namespace palimpsest
