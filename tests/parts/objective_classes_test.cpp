#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/objective/objective.h"
#include "parts/curvature_stream.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

// ln(1 + 1) and ln(1 + 1/3), by hand.
TEST(ClassesObjective, IsTheSumOfCrossEntropiesOverTheTasksClasses) {
  const auto objective = objectives().make("classes");
  const at::Tensor logits = rows({0, 0, std::log(3.0f), 0}, 2);
  const at::Tensor loss = objective->loss(logits, at::tensor({1, 0}, at::kLong));
  EXPECT_NEAR(loss.item<double>(), std::log(2) + std::log(4.0 / 3), 1e-6);
}

TEST(ClassesObjective, TakesTheLogitsOfEveryHeadAsTheyAre) {
  const auto objective = objectives().make("classes");
  const at::Tensor features = rows({3, 4, 1, 0}, 2), targets = at::tensor({1, 0}, at::kLong);
  for (const std::string_view name : kind_names(head_kinds())) {
    const DeviceHead head{
        .weight = rows({1, 0, 0, 2}, 2), .bias = at::zeros({2}), .kind = head_kinds().make(name)};
    if (head.kind->weights() == HeadWeights::kOfBackbone) continue;
    EXPECT_NO_THROW(objective->check(*head.kind));
    const at::Tensor logits = objective->logits(features, head);
    EXPECT_TRUE(at::equal(logits, head.logits(features))) << name;
    EXPECT_TRUE(objective->training_logits(logits, targets).is_same(logits)) << name;
  }
}

// Logits 4 ln 3 and 0 divided by 4 have the probabilities 3/4 and 1/4, by hand.
TEST(ClassesObjective, DividesTheLogitsByItsTemperature) {
  const auto objective = objectives().make("classes:temperature=4");
  const DeviceHead head{.weight = rows({4 * std::log(3.0f), 0}, 1),
                        .bias = at::zeros({2}),
                        .kind = head_kinds().make("linear")};
  const at::Tensor logits = objective->logits(rows({1, 1}, 1), head);
  EXPECT_TRUE(at::allclose(logits.softmax(1), rows({0.75f, 0.25f, 0.75f, 0.25f}, 2)));
  EXPECT_NEAR(objective->loss(logits, at::tensor({0, 1}, at::kLong)).item<double>(),
              std::log(4.0 / 3) + std::log(4), 1e-6);
  EXPECT_THROW(objectives().make("classes:temperature=0"), UsageError);
}

class ClassesTemperature : public CurvatureStream {
 protected:
  // The mean over samples of squared gradients of the loss for each label, by the label's weight.
  template <typename WeightOf>
  at::Tensor mean_square(const Head& head, const WeightOf& weight_of) {
    SampleGradients gradients(stream_, head);
    at::Tensor sum = at::zeros({gradients.session().model->layout().size()}, at::kDouble);
    for (std::int64_t n = 0; n < stream_.task().train.size(); ++n) {
      const Batch batch = sample(gradients.session(), n);
      const at::Tensor log_p = gradients.logits(batch).div(kTemperature).log_softmax(1)[0];
      for (std::int64_t y = 0; y < head.classes; ++y) {
        const double weight = weight_of(log_p, y, batch.targets[0].item<std::int64_t>());
        if (weight > 0) sum.add_(gradients.compute(log_p[y]).square(), weight);
      }
    }
    return sum.div(static_cast<double>(stream_.task().train.size()));
  }

  static constexpr double kTemperature = 5;
};

TEST_F(ClassesTemperature, IsThatOfEveryCurvatureAndLoss) {
  const Head head = random_head();
  stream_.config.objective = "classes";
  const Fisher plain = measured("empirical", head);
  stream_.config.objective = "classes:temperature=1";
  EXPECT_EQ(measured("empirical", head).values, plain.values);
  EXPECT_EQ(measured("empirical", head).loss, plain.loss);

  stream_.config.objective = "classes:temperature=5";
  const Fisher empirical = measured("empirical", head), exact = measured("expected-exact", head);
  EXPECT_NE(empirical.loss, plain.loss);
  EXPECT_EQ(exact.loss, empirical.loss);
  {
    Session session = stream_.session({});
    EXPECT_NEAR(measure_loss(session, stream_.task(), head), empirical.loss, 1e-6);
  }
  const auto is_right = [](const at::Tensor&, std::int64_t y, std::int64_t right) {
    return y == right ? 1.0 : 0.0;
  };
  EXPECT_LT(distance(empirical.values, mean_square(head, is_right)), 1e-5);
  const auto probability = [](const at::Tensor& log_p, std::int64_t y, std::int64_t) {
    return log_p[y].exp().item<double>();
  };
  EXPECT_LT(distance(exact.values, mean_square(head, probability)), 1e-5);
}

// Forward only: it has no loss in it.
TEST_F(ClassesTemperature, DoesNotChangeTheGram) {
  const Head head = random_head();
  const Fisher plain = measured("gram", head);
  stream_.config.objective = "classes:temperature=5";
  EXPECT_EQ(measured("gram", head).values, plain.values);
}

}  // namespace
}  // namespace palimpsest
