#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "classifier_stream.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

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

Dense hidden(const Dense& task, std::uint64_t seed, std::int64_t width) {
  at::Tensor r = at::empty({task.f.size(1), width});
  fill_normal({r.mutable_data_ptr<float>(), static_cast<std::size_t>(r.numel())},
              RandomStream(seed, Purpose::kProjection, 0, 0));
  return {task.f.to(at::kFloat).mm(r).relu().to(at::kDouble), task.y};
}

using RidgeClassifier = ClassifierTest;

// After every task, the solution over all samples so far, by the lambda of the newest one.
TEST_F(RidgeClassifier, SolvesAllClassesAgainFromSumsOfEveryTask) {
  const Dense one = dense(first_), two = dense(second_);
  NamedTensors memory;
  learn("ridge", first_, kFirst, memory);
  expect_near(scores("ridge", memory, kFirst, one.f),
              one.f.mm(solved(one.gram(), one.moments(), best_lambda(one)).t()));
  learn("ridge", second_, kBoth, memory);
  const at::Tensor w =
      solved(one.gram() + two.gram(), at::cat({one.moments(), two.moments()}), best_lambda(two));
  expect_near(scores("ridge", memory, kBoth, one.f), one.f.mm(w.t()));
  group_.agree(weights_hash(memory.values<float>("classifier/ridge/weight", {4, kAnySize})),
               "the classifier", "test");
}

// The same labels in every task: their sums are added.
TEST_F(RidgeClassifier, AddsUpTheClassesThatTasksShare) {
  const Dense one = dense(first_), two = dense(second_);
  const at::Tensor w =
      solved(one.gram() + two.gram(), one.moments() + two.moments(), best_lambda(two));
  expect_near(scores("ridge", learned("ridge", kShared), kShared, one.f), one.f.mm(w.t()));
}

// More random features than samples, and fewer: lambda is chosen in either form.
TEST_F(RidgeClassifier, ProjectsAtRandom) {
  for (const std::int64_t width : {60, 9}) {
    const std::string text = concat("ridge:projection=", width);
    const std::uint64_t seed = stream_.config.seed;
    const Dense one = hidden(dense(first_), seed, width), two = hidden(dense(second_), seed, width);
    const at::Tensor w =
        solved(one.gram() + two.gram(), at::cat({one.moments(), two.moments()}), best_lambda(two));
    NamedTensors memory = learned(text, kBoth);
    expect_near(scores(text, memory, kBoth, dense(first_).f), one.f.mm(w.t()));
    EXPECT_NO_THROW(classifiers().make(text)->scores(memory, kBoth, at::kCPU));
    if (group_.rank() != 0) continue;
    EXPECT_NO_THROW(classifiers().make(text)->check(memory, kBoth));
  }
}

// A run that continues under another seed keeps the R that its sums were made with.
TEST_F(RidgeClassifier, KeepsItsProjectionUnderAnotherSeed) {
  const std::string text = "ridge:projection=40";
  const NamedTensors memory = learned(text, kBoth);
  NamedTensors again;
  learn(text, first_, kFirst, again);
  session_.config.seed += 1;
  learn(text, second_, kBoth, again);
  EXPECT_EQ(again, memory);
  EXPECT_NE(learned(text, kBoth), memory);
}

TEST_F(RidgeClassifier, TakesLambdaOverTheMeanOfTheDiagonal) {
  const Dense one = dense(first_);
  const double mean = one.gram().diagonal().mean().item<double>();
  const at::Tensor w = solved(one.gram(), one.moments(), 0.1 * mean);
  expect_near(scores("ridge:lambda=0.1", learned("ridge:lambda=0.1", kFirst), kFirst, one.f),
              one.f.mm(w.t()));
}

struct Remarks : RunListener {
  using RunListener::on;
  void on(const Remark& remark) override { texts.push_back(remark.text); }
  std::vector<std::string> texts;
};

// 32 samples have no inverse in 500 features.
TEST_F(RidgeClassifier, TakesTheNextLambdaWhereRoundingLeavesNoDecompositionAndSaysSo) {
  Remarks remarks;
  stream_.events.add(remarks);
  const std::string text = "ridge:projection=500,lambda=1e-30";
  const NamedTensors memory = learned(text, kFirst);
  EXPECT_TRUE(scores(text, memory, kFirst, dense(first_).f).isfinite().all().item<bool>());
  if (group_.rank() != 0) return;
  ASSERT_EQ(remarks.texts.size(), 1u);
  EXPECT_THAT(remarks.texts[0], HasSubstr("classifier ridge:projection=500,lambda=1e-30: lambda"));
}

TEST_F(RidgeClassifier, KeepsOneTriangleOnTheRootAndTheWeightsEverywhere) {
  const NamedTensors memory = learned("ridge", kFirst);
  if (group_.rank() != 0) {
    EXPECT_THAT(memory.names(), ElementsAre("classifier/ridge/weight"));
    return;
  }
  EXPECT_THAT(memory.names(), ElementsAre("classifier/ridge/gram", "classifier/ridge/moments",
                                          "classifier/ridge/weight"));
  EXPECT_THAT(memory.at("classifier/ridge/gram").dims, ElementsAre(32 * 33 / 2));
  EXPECT_EQ(memory.at("classifier/ridge/gram").keeper, Keeper::kRoot);
  EXPECT_EQ(memory.at("classifier/ridge/weight").keeper, Keeper::kEveryRank);
  EXPECT_EQ(classifiers().make("ridge")->needs(1).at(0).names.size(), 3u);
}

TEST_F(RidgeClassifier, AnswersBeforeTheMergeAsIfItHadLearnedAndKeepsNothingOfIt) {
  TaskPasses passes(session_, first_, *objective_);
  NamedTensors memory;
  const ClassScores before = classifiers().make("ridge")->scores_before_merge(
      passes, stream_.pretrained(), kFirst, memory);
  EXPECT_TRUE(memory.empty());
  learn("ridge", first_, kFirst, memory);
  const at::Tensor features = passes.features(stream_.pretrained());
  EXPECT_TRUE(
      at::equal(before(features).to(at::kDouble), scores("ridge", memory, kFirst, features)));
}

TEST_F(RidgeClassifier, RefusesMemoryOfOtherClasses) {
  const NamedTensors memory = learned("ridge", kFirst);
  if (group_.rank() != 0) return;
  EXPECT_NO_THROW(classifiers().make("ridge")->check(memory, kFirst));
  EXPECT_THAT([&] { classifiers().make("ridge")->check(memory, kBoth); },
              ThrowsMessage<Error>(HasSubstr("classifier/ridge/weight: expected")));
}

// No fifth sample to choose by.
TEST_F(RidgeClassifier, LearnsFromVeryFewSamples) {
  second_.train = only({0, 1, 2});
  NamedTensors memory;
  learn("ridge", second_, kFirst, memory);
  EXPECT_TRUE(at::equal(scores("ridge", memory, kFirst, dense(second_).f).argmax(1),
                        at::tensor(second_.train.targets)));
}

}  // namespace
}  // namespace palimpsest
