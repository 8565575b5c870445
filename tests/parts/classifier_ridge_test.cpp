#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

// All that a task's samples say, in float64, without lanes, triangles or eigenvectors.
struct Dense {
  at::Tensor f, y;  // [samples, features], one-hot [samples, classes of the task]

  at::Tensor gram() const { return f.t().mm(f); }
  at::Tensor moments() const { return y.t().mm(f); }
  Dense only(bool kept_out) const {
    const at::Tensor chosen = at::arange(f.size(0)).remainder(5).eq(4).eq(kept_out);
    return {f.index({chosen}), y.index({chosen})};
  }
};

at::Tensor solved(const at::Tensor& gram, const at::Tensor& moments, double lambda) {
  const at::Tensor regular = gram + lambda * at::eye(gram.size(0), at::kDouble);
  return at::linalg_solve(regular, moments.t()).t();
}

// By fitting again for each candidate.
double best_lambda(const Dense& task) {
  const Dense fit = task.only(false), kept_out = task.only(true);
  double best = 0, least = HUGE_VAL;
  for (int power = -8; power <= 8; ++power) {
    const at::Tensor w = solved(fit.gram(), fit.moments(), std::pow(10.0, power));
    const double error = (kept_out.y - kept_out.f.mm(w.t())).square().sum().item<double>();
    if (error >= least) continue;
    least = error;
    best = std::pow(10.0, power);
  }
  return best;
}

class RidgeClassifier : public StreamTest {
 protected:
  RidgeClassifier() : StreamTest(true) {
    second_ = stream_.task();
    second_.index = 1;
    second_.train.samples.resize(13);  // fewer, and no multiple of five
    second_.train.targets.resize(13);
  }

  Dense dense(Session& session, const Task& task) {
    TaskPasses passes(session, task, *objective_);
    return {passes.features(stream_.pretrained()).to(at::kDouble),
            at::one_hot(at::tensor(task.train.targets), 2).to(at::kDouble)};
  }

  void learn(Session& session, const Task& task, const ClassesSeen& seen, NamedTensors& memory) {
    TaskPasses passes(session, task, *objective_);
    ridge_->learn(passes, stream_.pretrained(), seen, memory);
  }

  const std::unique_ptr<Objective> objective_ = objectives().make("classes");
  const std::unique_ptr<Classifier> ridge_ = classifiers().make("ridge");
  Task second_;
};

void expect_near(const at::Tensor& found, const at::Tensor& expected) {
  EXPECT_LT((found.to(at::kDouble) - expected).norm().item<double>(),
            1e-4 * expected.norm().item<double>());
}

// After every task, the solution over all samples so far, by the lambda of the newest one.
TEST_F(RidgeClassifier, SolvesAllClassesAgainFromSumsOfEveryTask) {
  Session session = stream_.session({});
  const Dense one = dense(session, stream_.task()), two = dense(session, second_);
  const at::Tensor features = one.f.slice(0, 0, 4).to(at::kFloat);
  NamedTensors memory;
  const ClassesSeen first{.by_task = {2}}, both{.by_task = {2, 2}};
  learn(session, stream_.task(), first, memory);
  expect_near(ridge_->scores(memory, first, at::kCPU)(features),
              one.f.slice(0, 0, 4).mm(solved(one.gram(), one.moments(), best_lambda(one)).t()));
  learn(session, second_, both, memory);
  const at::Tensor w =
      solved(one.gram() + two.gram(), at::cat({one.moments(), two.moments()}), best_lambda(two));
  expect_near(ridge_->scores(memory, both, at::kCPU)(features), one.f.slice(0, 0, 4).mm(w.t()));
  group_.agree(weights_hash(memory.values<float>("classifier/ridge/weight", {4, kAnySize})),
               "the classifier", "test");
}

// The same labels in every task: their sums are added.
TEST_F(RidgeClassifier, AddsUpTheClassesThatTasksShare) {
  Session session = stream_.session({});
  const Dense one = dense(session, stream_.task()), two = dense(session, second_);
  NamedTensors memory;
  learn(session, stream_.task(), {.by_task = {2}, .shared = true}, memory);
  const ClassesSeen both{.by_task = {2, 2}, .shared = true};
  learn(session, second_, both, memory);
  const at::Tensor w =
      solved(one.gram() + two.gram(), one.moments() + two.moments(), best_lambda(two));
  const at::Tensor features = one.f.slice(0, 0, 4);
  expect_near(ridge_->scores(memory, both, at::kCPU)(features.to(at::kFloat)), features.mm(w.t()));
}

TEST_F(RidgeClassifier, KeepsOneTriangleOnTheRootAndTheWeightsEverywhere) {
  Session session = stream_.session({});
  NamedTensors memory;
  learn(session, stream_.task(), {.by_task = {2}}, memory);
  if (group_.rank() != 0) {
    EXPECT_THAT(memory.names(), ElementsAre("classifier/ridge/weight"));
    return;
  }
  EXPECT_THAT(memory.names(), ElementsAre("classifier/ridge/gram", "classifier/ridge/moments",
                                          "classifier/ridge/weight"));
  EXPECT_THAT(memory.at("classifier/ridge/gram").dims, ElementsAre(32 * 33 / 2));
  EXPECT_EQ(memory.at("classifier/ridge/gram").keeper, Keeper::kRoot);
  EXPECT_EQ(memory.at("classifier/ridge/weight").keeper, Keeper::kEveryRank);
  EXPECT_EQ(ridge_->needs(1).at(0).names.size(), 3u);
}

TEST_F(RidgeClassifier, AnswersBeforeTheMergeAsIfItHadLearnedAndKeepsNothingOfIt) {
  Session session = stream_.session({});
  TaskPasses passes(session, stream_.task(), *objective_);
  const ClassesSeen seen{.by_task = {2}};
  NamedTensors memory;
  const ClassScores before =
      ridge_->scores_before_merge(passes, stream_.pretrained(), seen, memory);
  EXPECT_TRUE(memory.empty());
  learn(session, stream_.task(), seen, memory);
  const at::Tensor features = passes.features(stream_.pretrained());
  EXPECT_TRUE(at::equal(before(features), ridge_->scores(memory, seen, at::kCPU)(features)));
}

TEST_F(RidgeClassifier, RefusesMemoryOfOtherClasses) {
  Session session = stream_.session({});
  NamedTensors memory;
  learn(session, stream_.task(), {.by_task = {2}}, memory);
  if (group_.rank() != 0) return;
  EXPECT_NO_THROW(ridge_->check(memory, {.by_task = {2}}));
  EXPECT_THAT(
      [&] {
        ridge_->check(memory, {.by_task = {2, 2}});
      },
      ThrowsMessage<Error>(HasSubstr("classifier/ridge/weight: expected")));
}

TEST_F(RidgeClassifier, RefusesFeaturesThatAreNotFinite) {
  Session session = stream_.session({});
  TaskPasses passes(session, stream_.task(), *objective_);
  std::vector<float> weights(stream_.pretrained()->size(), NAN);
  NamedTensors memory;
  EXPECT_THROW(ridge_->learn(passes, make_weights(std::move(weights)), {.by_task = {2}}, memory),
               DivergedError);
}

// No fifth sample to choose by.
TEST_F(RidgeClassifier, LearnsFromVeryFewSamples) {
  Session session = stream_.session({});
  second_.train.samples.resize(3);
  second_.train.targets.resize(3);
  NamedTensors memory;
  learn(session, second_, {.by_task = {2}}, memory);
  const at::Tensor scores =
      ridge_->scores(memory, {.by_task = {2}}, at::kCPU)(dense(session, second_).f.to(at::kFloat));
  EXPECT_TRUE(at::equal(scores.argmax(1), at::tensor(second_.train.targets)));
}

}  // namespace
}  // namespace palimpsest
