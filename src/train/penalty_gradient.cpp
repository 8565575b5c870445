#include "palimpsest/train/penalty_gradient.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "palimpsest/device/host_copy.h"

namespace palimpsest {

PenaltyGradient::PenaltyGradient(const QuadraticPenalty& penalty, const Backbone& model) {
  if (penalty.curvature.empty()) return;
  for (const LoraGroup& group : model.lora_groups()) {
    std::vector<Module>& modules = groups_.emplace_back();
    for (const std::size_t index : group.modules) {
      const AdaptedModule& module = model.layout().modules()[index];
      const auto placed = [&](const std::vector<float>& flat) {
        return from_host(std::span(flat).subspan(static_cast<std::size_t>(module.offset),
                                                 static_cast<std::size_t>(module.size())),
                         {module.out, module.in}, model.device());
      };
      modules.push_back({.curvature = placed(penalty.curvature), .slope = placed(penalty.slope)});
    }
  }
}

void PenaltyGradient::add_to(const at::Tensor& gradient, const TaskParameters& parameters) const {
  if (groups_.empty()) return;
  const c10::NoGradGuard no_grad;
  const Lora& lora = parameters.lora();
  std::vector<at::Tensor> leaves;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const Lora::Factors& factors = lora.group(g);
    at::Tensor da = at::empty_like(factors.a), db = at::empty_like(factors.b);
    for (std::size_t m = 0; m < groups_[g].size(); ++m) {
      const auto position = static_cast<std::int64_t>(m);
      const at::Tensor a = factors.a.select(0, position), b = factors.b.select(0, position);
      const at::Tensor slope = b.mm(a)
                                   .mul_(lora.scale())
                                   .mul_(groups_[g][m].curvature)
                                   .add_(groups_[g][m].slope)
                                   .mul_(lora.scale());
      da.select(0, position).copy_(b.t().mm(slope));
      db.select(0, position).copy_(slope.mm(a.t()));
    }
    if (parameters.learns().a) leaves.push_back(da);
    if (parameters.learns().b) leaves.push_back(db);
  }
  leaves.resize(parameters.values().leaves().size());  // the head has none
  const at::Tensor all = at::zeros_like(gradient);
  parameters.values().gather(leaves, all);
  gradient.add_(all);
}

}  // namespace palimpsest
