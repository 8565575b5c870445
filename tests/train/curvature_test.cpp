// Labels that are drawn, and the penalty's gradient, on a model of two blocks.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "palimpsest/train/fisher.h"
#include "palimpsest/train/penalty_gradient.h"
#include "palimpsest/train/task_trainer.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

class Curvature : public testing::Test {
 protected:
  Curvature()
      : watchdog_(60),
        group_(watchdog_),
        placement_(make_placement("cpu", false, group_, watchdog_)),
        stream_(true, placement_, group_, watchdog_) {}

  Fisher measured(const std::string& kind, const Head& head, std::uint64_t seed = 1) {
    stream_.config.curvature = kind;
    stream_.config.seed = seed;
    Session session = stream_.session({});
    return curvature_everywhere(session, stream_.task(), head);
  }

  Watchdog watchdog_;
  HostGroup group_;
  Placement placement_;
  TinyStream stream_;
};

Head random_head() {
  Head head{
      .classes = 3, .features = 32, .weight = std::vector<float>(96), .bias = {0.1F, 0, -0.1F}};
  fill_uniform(head.weight, 0.5, RandomStream(9, Purpose::kTest, 0, 0));
  return head;
}

// The mean over seeds approaches the exact sum: in projections on random directions, within five
// standard errors of the mean, as the draws show them (their noise may be estimated: 150 of them).
TEST_F(Curvature, DrawnLabelsHaveTheExactFisherAsTheirMean) {
  constexpr std::uint64_t kSeeds = 150;
  const Head head = random_head();
  const Fisher exact = measured("expected-exact", head);
  const auto size = exact.values.size();
  std::vector<std::vector<float>> directions{std::vector<float>(size, 1)};
  for (std::uint64_t d = 1; d < 8; ++d) {
    directions.emplace_back(size);
    fill_uniform(directions.back(), 1, RandomStream(9, Purpose::kTest, 1, d));
  }
  const auto along = [&](const Fisher& fisher, const std::vector<float>& direction) {
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += double{fisher.values[i]} * direction[i];
    return sum;
  };
  std::vector<double> sums(directions.size()), squares(directions.size());
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Fisher drawn = measured("expected-sampled", head, seed);
    EXPECT_EQ(drawn.loss, exact.loss) << "the loss is that of the true labels";
    for (std::size_t d = 0; d < directions.size(); ++d) {
      const double value = along(drawn, directions[d]);
      sums[d] += value;
      squares[d] += value * value;
    }
  }
  for (std::size_t d = 0; d < directions.size(); ++d) {
    const double mean = sums[d] / kSeeds, variance = squares[d] / kSeeds - mean * mean;
    EXPECT_GT(variance, 0);
    EXPECT_NEAR(mean, along(exact, directions[d]), 5 * std::sqrt(variance / kSeeds)) << d;
  }
  // It is another number than the empirical one, which a bound so wide must be able to tell.
  const double spread = std::sqrt((squares[0] / kSeeds - std::pow(sums[0] / kSeeds, 2)) / kSeeds);
  EXPECT_GT(std::abs(along(measured("empirical", head), directions[0]) - sums[0] / kSeeds),
            5 * spread);
}

TEST_F(Curvature, LabelsFollowTheSampleAndNotTheChunk) {
  const Head head = random_head();
  const Fisher whole = measured("expected-sampled", head);
  stream_.config.evaluation_batch = 1;
  const Fisher one_by_one = measured("expected-sampled", head);
  ASSERT_EQ(whole.samples, one_by_one.samples);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < whole.values.size(); ++i) {
    difference += std::pow(whole.values[i] - one_by_one.values[i], 2);
    size += std::pow(whole.values[i], 2);
  }
  EXPECT_LT(std::sqrt(difference / size), 1e-4);
}

TEST_F(Curvature, KindsAreNamed) {
  EXPECT_EQ(curvature_kind("empirical"), "empirical-per-sample");
  EXPECT_EQ(curvature_kind("expected-exact"), "expected-exact-per-sample");
  EXPECT_EQ(curvature_kind("gram"), "gram-diagonal");
}

TEST_F(Curvature, ThePenaltysGradientIsThatOfAutograd) {
  stream_.config.lora_alpha = 10;  // s = 2.5
  Session session = stream_.session({});
  const Backbone& model = *session.model;
  const TaskParameters parameters(model, 2, stream_.config);
  {
    const c10::NoGradGuard no_grad;
    parameters.values().flat().copy_(at::randn({parameters.values().size()}));
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
  // Ours adds float32 numbers, autograd double ones here.
  EXPECT_TRUE(at::allclose(ours, written_out, 1e-4, 1e-3));
  EXPECT_GT((ours - 3).abs().max().item<double>(), 1);
  const at::Tensor untouched = ours.clone();
  PenaltyGradient({}, model).add_to(ours, parameters);
  EXPECT_TRUE(at::equal(ours, untouched));
}

}  // namespace
}  // namespace palimpsest
