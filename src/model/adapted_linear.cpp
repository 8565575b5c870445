#include "palimpsest/model/adapted_linear.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace palimpsest {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// y = x W^T + bias. With G_m the gradient at module m's rows:
//   dx = G W,   dA_m = scale (G_m B_m)^T x,   dB_m = scale G_m^T (x A_m^T).
class AdaptedProduct : public torch::autograd::Function<AdaptedProduct> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& a,
                            const at::Tensor& b, const AdaptedLinear::Frozen* frozen, double scale,
                            const GradientTap* tap) {
    context->save_for_backward({x, a, b});
    context->saved_data["frozen"] = reinterpret_cast<std::int64_t>(frozen);
    context->saved_data["scale"] = scale;
    context->saved_data["tap"] = reinterpret_cast<std::int64_t>(tap);
    return at::linear(x, frozen->effective, frozen->bias);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto& frozen =
        *reinterpret_cast<const AdaptedLinear::Frozen*>(context->saved_data["frozen"].toInt());
    const auto* tap = reinterpret_cast<const GradientTap*>(context->saved_data["tap"].toInt());
    const double scale = context->saved_data["scale"].toDouble();
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &a = saved[1], &b = saved[2], &g = gradients[0];
    at::Tensor dx, da, db;
    if (context->needs_input_grad(0)) dx = g.mm(frozen.effective);
    if (tap != nullptr) {
      for (const auto& slot : frozen.slots)
        (*tap)(slot.module, x, g.narrow(1, slot.row, frozen.out));
    } else {
      const std::int64_t modules = a.size(0), rank = a.size(1), in = a.size(2), tokens = x.size(0);
      const at::Tensor xa =
          at::linear(x, a.view({modules * rank, in}));  // [tokens, modules * rank]
      at::Tensor gb = at::empty({tokens, modules * rank}, x.options());
      db = at::empty_like(b);
      for (std::int64_t m = 0; m < modules; ++m) {
        const at::Tensor g_m =
            g.narrow(1, frozen.slots[static_cast<std::size_t>(m)].row, frozen.out);
        gb.narrow(1, m * rank, rank).copy_(g_m.mm(b.select(0, m)));
        db.select(0, m).copy_(g_m.t().mm(xa.narrow(1, m * rank, rank)));
      }
      da = gb.t().mm(x).view_as(a).mul_(scale);
      db.mul_(scale);
    }
    return {dx, da, db, {}, {}, {}};
  }
};

AdaptedLinear::AdaptedLinear(at::Tensor weight, at::Tensor bias, std::vector<Slot> slots,
                             std::int64_t out, std::size_t group)
    : frozen_{std::move(weight), std::move(bias), std::move(slots), out}, group_(group) {
  if (frozen_.slots.empty()) return;
  original_ = at::empty({std::ssize(frozen_.slots), frozen_.out, frozen_.effective.size(1)},
                        frozen_.effective.options());
  for (std::size_t s = 0; s < frozen_.slots.size(); ++s) {
    original_.select(0, static_cast<std::int64_t>(s))
        .copy_(frozen_.effective.narrow(0, frozen_.slots[s].row, frozen_.out));
  }
  current_ = original_.clone();
}

std::optional<LoraGroup> AdaptedLinear::group() const {
  if (frozen_.slots.empty()) return std::nullopt;
  LoraGroup group{.modules = {}, .out = frozen_.out, .in = frozen_.effective.size(1)};
  for (const Slot& slot : frozen_.slots) group.modules.push_back(slot.module);
  return group;
}

void AdaptedLinear::set_difference(std::span<const float> difference, const AdaptedLayout& layout) {
  for (std::size_t s = 0; s < frozen_.slots.size(); ++s) {
    const AdaptedModule& module = layout.modules()[frozen_.slots[s].module];
    const at::Tensor host = at::from_blob(const_cast<float*>(difference.data() + module.offset),
                                          {module.out, module.in});
    at::Tensor now = current_.select(0, static_cast<std::int64_t>(s));
    now.copy_(host).add_(original_.select(0, static_cast<std::int64_t>(s)));
    frozen_.effective.narrow(0, frozen_.slots[s].row, frozen_.out).copy_(now);
  }
}

void AdaptedLinear::set_adapter(const Lora& lora, double c) {
  const c10::NoGradGuard no_grad;
  for (std::size_t s = 0; s < frozen_.slots.size(); ++s) {
    const auto m = static_cast<std::int64_t>(s);
    const Lora::Factors& factors = lora.group(group_);
    at::Tensor rows = frozen_.effective.narrow(0, frozen_.slots[s].row, frozen_.out);
    at::addmm_out(rows, current_.select(0, m), factors.b.select(0, m), factors.a.select(0, m), 1,
                  c * lora.scale());
  }
}

at::Tensor AdaptedLinear::forward(const at::Tensor& x, const AdapterUse& use) const {
  const bool gradients =
      is_adapted() && (use.lora != nullptr || use.tap != nullptr) && c10::GradMode::is_enabled();
  if (!gradients) return at::linear(x, frozen_.effective, frozen_.bias);
  if (use.lora == nullptr) {
    const at::Tensor none = at::empty({0}, x.options());
    return AdaptedProduct::apply(x, none, none, &frozen_, 1.0, use.tap);
  }
  const Lora::Factors& factors = use.lora->group(group_);
  return AdaptedProduct::apply(x, factors.a, factors.b, &frozen_, use.c * use.lora->scale(),
                               use.tap);
}

}  // namespace palimpsest
