#include "palimpsest/train/penalty_gradient.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include "support/tiny_stream.h"
#include "train/chosen_factors.h"

namespace palimpsest {
namespace {

// Of the factors that learn.
class PenaltyGradientTest : public StreamTest, public testing::WithParamInterface<Learns> {
 protected:
  PenaltyGradientTest() : StreamTest(true) {}
};

TEST_P(PenaltyGradientTest, IsThatOfAutograd) {
  Session session = stream_.session({});
  const Backbone& model = *session.model;
  const TaskParameters parameters(model, 0, 2, parts_with(stream_.config, GetParam()));
  {
    const c10::NoGradGuard no_grad;
    for (std::size_t g = 0; g < model.lora_groups().size(); ++g) {
      for (at::Tensor factor : {parameters.lora().group(g).a, parameters.lora().group(g).b})
        factor.normal_();
    }
  }
  QuadraticPenalty penalty;
  penalty.curvature.resize(static_cast<std::size_t>(model.layout().size()));
  penalty.slope.resize(penalty.curvature.size());
  fill_uniform(penalty.curvature, 1, RandomStream(9, Purpose::kTest, 2, 0));
  fill_uniform(penalty.slope, 1, RandomStream(9, Purpose::kTest, 2, 1));

  at::Tensor value = at::zeros({}, at::kDouble);
  for (std::size_t g = 0; g < model.lora_groups().size(); ++g) {
    const LoraGroup& group = model.lora_groups()[g];
    for (std::size_t m = 0; m < group.modules.size(); ++m) {
      const AdaptedModule& module = model.layout().modules()[group.modules[m]];
      const auto part = [&](const std::vector<float>& flat) {
        return at::tensor(flat).narrow(0, module.offset, module.size()).to(at::kDouble);
      };
      const auto position = static_cast<std::int64_t>(m);
      const at::Tensor delta =
          (parameters.lora().scale() *
           parameters.lora()
               .group(g)
               .b.select(0, position)
               .to(at::kDouble)
               .mm(parameters.lora().group(g).a.select(0, position).to(at::kDouble)))
              .flatten();
      value =
          value + (part(penalty.curvature) * delta * delta / 2 + part(penalty.slope) * delta).sum();
    }
  }
  std::vector<at::Tensor> leaves = parameters.values().leaves();
  const auto expected = torch::autograd::grad({value}, leaves, {}, false, false,
                                              /*allow_unused=*/true);
  const at::Tensor written_out = at::zeros({parameters.values().size()});
  parameters.values().gather(expected, written_out);
  written_out.add_(3);  // added to what is there

  const at::Tensor ours = at::full({parameters.values().size()}, 3.0F);
  PenaltyGradient(penalty, model).add_to(ours, parameters);
  // Ours adds float32 numbers, autograd double ones.
  EXPECT_TRUE(at::allclose(ours, written_out, 1e-4, 1e-3));
  EXPECT_GT((ours - 3).abs().max().item<double>(), 1);
  const at::Tensor untouched = ours.clone();
  PenaltyGradient({}, model).add_to(ours, parameters);
  EXPECT_TRUE(at::equal(ours, untouched));
}

INSTANTIATE_TEST_SUITE_P(Factors, PenaltyGradientTest,
                         testing::Values(Learns{.a = true, .b = true}, Learns{.b = true}),
                         [](const auto& learns) { return learns.param.a ? "AandB" : "B"; });

}  // namespace
}  // namespace palimpsest
