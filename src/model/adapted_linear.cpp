#include "palimpsest/model/adapted_linear.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/model/frozen_product.h"

namespace palimpsest {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// c s, for a and what follows from it.
at::Tensor branch_scale(const Lora& lora, const at::Tensor& c, const at::TensorOptions& options) {
  if (!c.defined()) return at::full({}, lora.scale(), options.dtype(at::kFloat));
  return c * lora.scale();
}

}  // namespace

// y = x W^T + bias, with W the effective weight or, as a branch, y_m += (x A_m^T) B_m^T beside it.
// In these formulas A means c s A, so that a bf16 product rounds it once. With G_m the gradient at
// module m's rows:
//   dx = G W (+ sum_m G_m B_m A_m),   dA_m = c s (G_m B_m)^T x,   dB_m = G_m^T (x A_m^T).
// With a c for every row (rows_c), A means s A, and what is A x or B G above has its rows
// multiplied by their c.
class AdaptedProduct : public torch::autograd::Function<AdaptedProduct> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& a,
                            const at::Tensor& b, const AdaptedLinear::Frozen* frozen,
                            const at::Tensor& scale, const at::Tensor& rows_c,
                            const GradientTap* tap) {
    if (a.numel() > 0 || tap != nullptr) context->save_for_backward({x, a, b, scale, rows_c});
    context->saved_data["frozen"] = reinterpret_cast<std::int64_t>(frozen);
    context->saved_data["tap"] = reinterpret_cast<std::int64_t>(tap);
    return product(x, a, b, *frozen, scale, rows_c);
  }

  // The forward pass alone. a and b [0]: no adapter, or one inside the effective weight. rows_c
  // [0]: one c for all rows, in `scale`.
  static at::Tensor product(const at::Tensor& x, const at::Tensor& a, const at::Tensor& b,
                            const AdaptedLinear::Frozen& frozen, const at::Tensor& scale,
                            const at::Tensor& rows_c) {
    at::Tensor y = frozen_product(x, frozen.effective, frozen.bias);
    if (!is_branch(frozen, rows_c) || a.numel() == 0) return y;
    const std::int64_t rank = padded_rank(a, x);
    at::Tensor xa = at::linear(x, stacked(a, scale, x));
    if (rows_c.numel() > 0) xa.mul_(rows_c);
    const at::Tensor factors = padded(b.to(x.scalar_type()), 2, rank);
    for (std::int64_t m = 0; m < a.size(0); ++m) {
      adapter_rows(y, frozen, m).addmm_(xa.narrow(1, m * rank, rank), factors.select(0, m).t());
    }
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto& frozen =
        *reinterpret_cast<const AdaptedLinear::Frozen*>(context->saved_data["frozen"].toInt());
    const auto* tap = reinterpret_cast<const GradientTap*>(context->saved_data["tap"].toInt());
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& g = gradients[0];
    at::Tensor dx, da, db;
    if (context->needs_input_grad(0)) dx = frozen_product_backward(g, frozen.effective);
    if (saved.empty()) return {dx, {}, {}, {}, {}, {}, {}};  // a plain layer
    const at::Tensor &x = saved[0], &a = saved[1], &b = saved[2], &scale = saved[3],
                     &rows_c = saved[4];
    if (tap != nullptr) {
      for (const auto& slot : frozen.slots)
        (*tap)(slot.module, x, g.narrow(1, slot.row, frozen.out));
    } else {
      const std::int64_t modules = a.size(0), rank = padded_rank(a, x), tokens = x.size(0);
      // Thin products have the rank as their rows: as columns they take up to four times as long.
      const at::Tensor stack = stacked(a, scale, x);
      at::Tensor ax = stack.mm(x.t());  // [modules * rank, tokens]
      if (rows_c.numel() > 0) ax.mul_(rows_c.t());
      const at::Tensor factors = padded(b.to(x.scalar_type()), 2, rank);
      at::Tensor bg = at::empty({modules * rank, tokens}, x.options());
      db = at::empty_like(b);
      for (std::int64_t m = 0; m < modules; ++m) {
        const at::Tensor g_m = adapter_rows(g, frozen, m);
        at::Tensor bg_m = bg.narrow(0, m * rank, rank);
        at::mm_out(bg_m, factors.select(0, m).t(), g_m.t());
        db.select(0, m).copy_(ax.narrow(0, m * rank, a.size(1)).mm(g_m).t());
      }
      if (rows_c.numel() > 0) bg.mul_(rows_c.t());
      if (context->needs_input_grad(1))
        da = bg.mm(x).view({modules, rank, -1}).narrow(1, 0, a.size(1)).to(at::kFloat).mul(scale);
      if (dx.defined() && is_branch(frozen, rows_c)) dx.addmm_(bg.t(), stack);
    }
    return {dx, da, db, {}, {}, {}, {}};
  }

 private:
  static bool is_branch(const AdaptedLinear::Frozen& frozen, const at::Tensor& rows_c) {
    return frozen.branch || rows_c.numel() > 0;
  }

  // Of A and B where x is multiplied with them. On a device a bf16 product reads rows of 16 bytes
  // at once, if they begin at multiples of that: zeros fill the rank up.
  static std::int64_t padded_rank(const at::Tensor& a, const at::Tensor& x) {
    constexpr std::int64_t kAligned = 8;  // numbers of bf16
    const std::int64_t rank = a.size(1);
    const bool pads = !x.is_cpu() && x.scalar_type() == at::kBFloat16;
    return pads ? (rank + kAligned - 1) / kAligned * kAligned : rank;
  }

  // With zeros after what it has along a dimension.
  static at::Tensor padded(const at::Tensor& factors, std::int64_t dimension, std::int64_t size) {
    if (factors.size(dimension) == size) return factors;
    std::vector<std::int64_t> sizes = factors.sizes().vec();
    sizes[static_cast<std::size_t>(dimension)] = size;
    at::Tensor filled = at::zeros(sizes, factors.options());
    filled.narrow(dimension, 0, factors.size(dimension)).copy_(factors);
    return filled;
  }

  // c s A of all modules, one above the other, in the precision of x: [modules * rank, in].
  static at::Tensor stacked(const at::Tensor& a, const at::Tensor& scale, const at::Tensor& x) {
    return padded(a.mul(scale).to(x.scalar_type()), 1, padded_rank(a, x)).view({-1, a.size(2)});
  }

  // The columns of y or its gradient that are the rows of module m.
  static at::Tensor adapter_rows(const at::Tensor& y, const AdaptedLinear::Frozen& frozen,
                                 std::int64_t m) {
    return y.narrow(1, frozen.slots[static_cast<std::size_t>(m)].row, frozen.out);
  }
};

AdaptedLinear::AdaptedLinear(std::span<const Matrix> matrices, at::ScalarType precision,
                             std::size_t group)
    : frozen_{.out = matrices.front().weight.size(0), .branch = precision != at::kFloat},
      group_(group) {
  std::vector<at::Tensor> weights, biases;
  for (const Matrix& matrix : matrices) {
    if (matrix.module.has_value()) {
      frozen_.slots.push_back({.module = *matrix.module, .row = std::ssize(weights) * frozen_.out});
      original_.push_back(matrix.weight);
      if (!frozen_.branch) current_.push_back(matrix.weight.clone());
    }
    weights.push_back(matrix.weight.to(precision));
    biases.push_back(matrix.bias.to(precision));
  }
  // A plain layer of one matrix stays where it was loaded.
  const bool is_written = is_adapted() || weights.size() > 1;
  frozen_.effective = is_written ? at::cat(weights) : weights.front();
  frozen_.bias = at::cat(biases);
}

std::optional<LoraGroup> AdaptedLinear::group() const {
  if (frozen_.slots.empty()) return std::nullopt;
  LoraGroup group{.out = frozen_.out, .in = frozen_.effective.size(1)};
  for (const Slot& slot : frozen_.slots) group.modules.push_back(slot.module);
  return group;
}

std::size_t AdaptedLinear::slot(std::size_t module) const {
  const auto found = std::ranges::find(frozen_.slots, module, &Slot::module);
  if (found == frozen_.slots.end()) throw Error(concat("a layer without module ", module));
  return static_cast<std::size_t>(found - frozen_.slots.begin());
}

at::Tensor AdaptedLinear::weight_with(std::size_t module, std::span<const float> difference) const {
  const at::Tensor& original = original_[slot(module)];
  if (!original.defined()) throw Error(concat("the weights of module ", module, " were dropped"));
  const at::Tensor host =
      at::from_blob(const_cast<float*>(difference.data()), original.sizes());  // only read
  return at::empty_like(original).copy_(host).add_(original);
}

void AdaptedLinear::set_weight(std::size_t module, const at::Tensor& weight) {
  const std::size_t s = slot(module);
  if (!frozen_.branch) current_[s].copy_(weight);
  frozen_.effective.narrow(0, frozen_.slots[s].row, frozen_.out).copy_(weight);
}

void AdaptedLinear::drop_original(std::size_t module) { original_[slot(module)] = at::Tensor(); }

void AdaptedLinear::set_adapter(const Lora& lora, const at::Tensor& c,
                                std::span<const at::Tensor> noise) {
  if (frozen_.branch || !is_adapted()) return;
  const c10::NoGradGuard no_grad;
  const Lora::Factors& factors = lora.group(group_);
  const at::Tensor a = factors.a.mul(branch_scale(lora, c, frozen_.bias.options()));
  for (std::size_t s = 0; s < frozen_.slots.size(); ++s) {
    const auto m = static_cast<std::int64_t>(s);
    at::Tensor rows = frozen_.effective.narrow(0, frozen_.slots[s].row, frozen_.out);
    const at::Tensor b_m = factors.b.select(0, m), a_m = a.select(0, m);
    at::addmm_out(rows, current_[s], b_m, a_m);
    if (noise.empty()) continue;
    // |B A|^2 = tr(B'B A A').
    const at::Tensor square = b_m.t().mm(b_m).mul_(a_m.mm(a_m.t())).sum().clamp_min_(0);
    rows.addcmul_(noise[frozen_.slots[s].module],
                  square.div_(static_cast<double>(rows.numel())).sqrt_());
  }
}

at::Tensor AdaptedLinear::forward(const at::Tensor& input, const AdapterOptions& use) const {
  const at::Tensor x = input.to(frozen_.effective.scalar_type());
  const at::Tensor none = at::empty({0}, x.options());
  const bool has_lora = is_adapted() && use.lora != nullptr;
  const at::Tensor& a = has_lora ? use.lora->group(group_).a : none;
  const at::Tensor& b = has_lora ? use.lora->group(group_).b : none;
  const bool by_row = has_lora && use.rows_c.defined();
  const at::Tensor scale =
      has_lora ? branch_scale(*use.lora, by_row ? at::Tensor() : use.c, x.options()) : none;
  at::Tensor rows_c = none;
  if (by_row) {  // of all tokens; or of one row a sample, behind a pooling
    const bool all = x.size(0) == use.rows_c.size(0);
    rows_c = (all ? use.rows_c : use.c.unsqueeze(1)).to(x.scalar_type());
  }
  const GradientTap* tap = is_adapted() ? use.tap : nullptr;
  if (use.input_tap != nullptr) {
    for (const Slot& slot : frozen_.slots) (*use.input_tap)(slot.module, x);
  }
  const bool gradients =
      c10::GradMode::is_enabled() && (x.requires_grad() || has_lora || tap != nullptr);
  if (!gradients) return AdaptedProduct::product(x, a, b, frozen_, scale, rows_c);
  return AdaptedProduct::apply(x, a, b, &frozen_, scale, rows_c, tap);
}

void AdaptedLinear::append_factors(const Lora& lora, std::vector<at::Tensor>& factors) const {
  if (!is_adapted()) return;
  for (const at::Tensor& factor : {lora.group(group_).a, lora.group(group_).b}) {
    if (factor.requires_grad()) factors.push_back(factor);
  }
}

}  // namespace palimpsest
