#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "classifier_stream.h"
#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

using GaussianClassifier = ClassifierTest;

at::Tensor eye(std::int64_t size) { return at::eye(size, at::kDouble); }

at::Tensor shrunk(const at::Tensor& covariance, double shrink) {
  return covariance + shrink * covariance.diagonal().mean() * eye(covariance.size(0));
}

at::Tensor scatter(const Dense& task) {
  return task.centred(0).t().mm(task.centred(0)) + task.centred(1).t().mm(task.centred(1));
}

at::Tensor discriminant(const at::Tensor& f, const at::Tensor& means,
                        const at::Tensor& covariance) {
  const at::Tensor w = at::linalg_inv(covariance).mm(means.t());
  return f.mm(w) - 0.5 * means.t().mul(w).sum(0);
}

// -1/2 (f - mean)' C^-1 (f - mean) for each class, C the correlations of its covariance.
at::Tensor correlation_scores(const at::Tensor& f, const at::Tensor& means,
                              const std::vector<at::Tensor>& covariances) {
  std::vector<at::Tensor> columns;
  for (std::size_t c = 0; c < covariances.size(); ++c) {
    const at::Tensor deviations = covariances[c].diagonal().sqrt();
    const at::Tensor correlations = covariances[c] / deviations.outer(deviations);
    const at::Tensor apart = f - means[static_cast<std::int64_t>(c)];
    columns.push_back(-0.5 * apart.mm(at::linalg_inv(correlations)).mul(apart).sum(1));
  }
  return at::stack(columns, 1);
}

// The other way: softmax and its best temperature by a fine grid.
double cross_entropy(const at::Tensor& scores, const at::Tensor& y) {
  const at::Tensor centred = contrasts(scores);
  const double size = centred.square().mean().sqrt().item<double>();
  double least = std::log(2);
  for (int power = -3; power <= 9; ++power) {
    const at::Tensor chances = (centred * (std::exp2(power) / size)).softmax(1);
    least = std::min(least, -chances.mul(y).sum(1).log().mean().item<double>());
  }
  return least;
}

template <typename Scores>
double best_shrinkage(const at::Tensor& y, const Scores& scores) {
  double best = 0, least = HUGE_VAL;
  for (const double shrink : {100.0, 10.0, 1.0, 0.1, 0.01, 0.001}) {
    const double loss = cross_entropy(scores(shrink), y);
    if (loss >= least) continue;
    least = loss;
    best = shrink;
  }
  return best;
}

TEST_F(GaussianClassifier, OfOneCovarianceIsLinearDiscriminantAnalysis) {
  const Dense one = dense(first_), two = dense(second_);
  const at::Tensor within = (scatter(one) + scatter(two)) / (32 + 13 - 4);
  const at::Tensor means = at::cat({one.means(), two.means()});
  const std::string text = "gaussian:shrink=0.5";
  expect_near(contrasts(scores(text, learned(text, kBoth), kBoth, one.f)),
              contrasts(discriminant(one.f, means, shrunk(within, 0.5))));
}

// As if all samples of a class had come at once.
TEST_F(GaussianClassifier, AddsUpTheClassesThatTasksShare) {
  const Dense one = dense(first_), two = dense(second_);
  const Dense both{at::cat({one.f, two.f}), at::cat({one.y, two.y})};
  const std::string text = "gaussian:shrink=0.5";
  expect_near(contrasts(scores(text, learned(text, kShared), kShared, one.f)),
              contrasts(discriminant(one.f, both.means(), shrunk(scatter(both) / (45 - 2), 0.5))));
}

TEST_F(GaussianClassifier, ChoosesItsShrinkageOnTheNewestTask) {
  const Dense one = dense(first_), two = dense(second_);
  const Dense fit = two.only(false), kept_out = two.only(true);
  const double shrink = best_shrinkage(kept_out.y, [&](double candidate) {
    const at::Tensor covariance = scatter(fit) / static_cast<double>(fit.f.size(0) - 2);
    return discriminant(kept_out.f, fit.means(), shrunk(covariance, candidate));
  });
  const at::Tensor within = (scatter(one) + scatter(two)) / (32 + 13 - 4);
  const at::Tensor means = at::cat({one.means(), two.means()});
  expect_near(contrasts(scores("gaussian", learned("gaussian", kBoth), kBoth, one.f)),
              contrasts(discriminant(one.f, means, shrunk(within, shrink))));
}

// FeCAM, on features of length 1.
TEST_F(GaussianClassifier, OfACovarianceByClassMeasuresCorrelationDistances) {
  const auto of_length_1 = [](const Dense& task) { return Dense{directions(task.f), task.y}; };
  const Dense one = of_length_1(dense(first_)), two = of_length_1(dense(second_));
  std::vector<at::Tensor> covariances;
  for (const Dense* const task : {&one, &two})
    for (const std::int64_t c : {0, 1})
      covariances.push_back(shrunk(task->centred(c).t().cov(), 1));
  const std::string text = "gaussian:covariance=class,shrink=1";
  const NamedTensors memory = learned(text, kBoth);
  expect_near(scores(text, memory, kBoth, 3 * one.f),
              correlation_scores(one.f, at::cat({one.means(), two.means()}), covariances));
  // 16 + 16 + 7 + 6 samples have so many directions, less one by class.
  EXPECT_EQ(memory.at(concat("classifier/", text, "/factor")).dims, (TensorDims{41, 32}));
}

TEST_F(GaussianClassifier, OfACovarianceByClassAddsUpTheClassesThatTasksShare) {
  const Dense one = dense(first_), two = dense(second_);
  const Dense both{directions(at::cat({one.f, two.f})), at::cat({one.y, two.y})};
  const std::string text = "gaussian:covariance=class,shrink=1";
  expect_near(scores(text, learned(text, kShared), kShared, one.f),
              correlation_scores(
                  directions(one.f), both.means(),
                  {shrunk(both.centred(0).t().cov(), 1), shrunk(both.centred(1).t().cov(), 1)}));
}

TEST_F(GaussianClassifier, OfACovarianceByClassChoosesItsShrinkageOnTheNewestTask) {
  const Dense all = dense(second_), task{directions(all.f), all.y};
  const Dense fit = task.only(false), kept_out = task.only(true);
  const double shrink = best_shrinkage(kept_out.y, [&](double candidate) {
    return correlation_scores(
        kept_out.f, fit.means(),
        {shrunk(fit.centred(0).t().cov(), candidate), shrunk(fit.centred(1).t().cov(), candidate)});
  });
  const std::string text = "gaussian:covariance=class";
  const NamedTensors memory = learned(text, kBoth);
  EXPECT_EQ(memory.values<double>(concat("classifier/", text, "/shrink"), {1})[0], shrink);
}

// Old means and covariances go where a linear map takes the newest task's features: here from those
// of other weights to the pretrained ones.
class GaussianDrift : public ClassifierTest {
 protected:
  GaussianDrift() {
    std::vector<float> weights = *stream_.pretrained();
    fill_uniform(weights, 0.1, RandomStream(3, Purpose::kTest, 0, 0));
    before_ = make_weights(std::move(weights));
  }

  at::Tensor features_before(const Task& task) {
    TaskPasses passes(session_, task, *objective_);
    return passes.features(before_).to(at::kDouble);
  }

  // Of the second task, by the formula.
  at::Tensor map() {
    const at::Tensor x = directions(features_before(second_)).t(),
                     y = directions(dense(second_).f).t();
    const double w = std::exp(-13.0 / 32);
    return (1 - w) * y.mm(x.t()).mm(at::linalg_inv(x.mm(x.t()) + 1e-4 * eye(32))) + w * eye(32);
  }
};

TEST_F(GaussianDrift, MovesMeansAndTheSharedCovariance) {
  const std::string text = "gaussian:shrink=0.5,drift=linear";
  const NamedTensors memory = learned(text, kBoth);
  const Dense one = dense(first_), two = dense(second_);
  const at::Tensor a = map();
  ASSERT_GT((a - eye(32)).norm().item<double>(), 0.1);
  const at::Tensor within = (a.mm(scatter(one)).mm(a.t()) + scatter(two)) / (32 + 13 - 4);
  const at::Tensor means = at::cat({one.means().mm(a.t()), two.means()});
  expect_near(contrasts(scores(text, memory, kBoth, one.f)),
              contrasts(discriminant(one.f, means, shrunk(within, 0.5))));
}

TEST_F(GaussianDrift, MovesMeansAndTheCovarianceOfEveryClass) {
  const std::string text = "gaussian:covariance=class,shrink=1,drift=linear";
  const NamedTensors memory = learned(text, kBoth);
  const Dense two{directions(dense(second_).f), dense(second_).y};
  const Dense one{directions(dense(first_).f), dense(first_).y};
  const at::Tensor a = map();
  std::vector<at::Tensor> covariances;
  for (const std::int64_t c : {0, 1})
    covariances.push_back(shrunk(a.mm(one.centred(c).t().cov()).mm(a.t()), 1));
  for (const std::int64_t c : {0, 1}) covariances.push_back(shrunk(two.centred(c).t().cov(), 1));
  expect_near(
      scores(text, memory, kBoth, one.f),
      correlation_scores(one.f, at::cat({one.means().mm(a.t()), two.means()}), covariances));
}

// A backbone that stays has no drift, and needs no second pass.
TEST_F(GaussianDrift, IsNoneWhereTheWeightsStay) {
  before_ = make_weights(*stream_.pretrained());
  const NamedTensors memory = learned("gaussian:drift=linear", kBoth);
  const NamedTensors plain = learned("gaussian", kBoth);
  EXPECT_EQ(memory.values<float>("classifier/gaussian:drift=linear/weight", {4, 32}),
            plain.values<float>("classifier/gaussian/weight", {4, 32}));
}

}  // namespace
}  // namespace palimpsest
