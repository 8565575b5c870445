#include "palimpsest/metrics/stream_metrics.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <random>
#include <string>

#include "palimpsest/core/error.h"
#include "rows.h"

namespace palimpsest {
namespace {

// Two tasks, of two and of three classes, 10 and 20 samples.
EvaluationRow detailed_row() {
  return scored({10, 20},
                {{"correct", {5, 12}},
                 {"correct_given_task", {8, 15}},
                 {"correct_top5", {9, 20}},
                 {"correct_task", {6, 14}},
                 {"loss_given_task", {5, 12.5}}},
                {{4, 6, 5, 5, 10}, {2, 3, 5, 0, 7}});
}

std::map<std::string, std::optional<double>> by_name(const AccuracyMatrix& accuracy) {
  std::map<std::string, std::optional<double>> values;
  for (const NamedMetric& metric : stream_metrics(accuracy)) values[metric.name] = metric.value;
  return values;
}

TEST(StreamMetrics, MeansOfARowAndOfATaskAreThoseWorkedOutByHand) {
  const EvaluationRow row = detailed_row();
  EXPECT_DOUBLE_EQ(row.sample_weighted(), 17.0 / 30);
  EXPECT_DOUBLE_EQ(row.task_mean(), (0.5 + 0.6) / 2);
  EXPECT_DOUBLE_EQ(mean(row.score("correct_given_task")), 23.0 / 30);
  EXPECT_DOUBLE_EQ(mean(row.score("correct_task")), 20.0 / 30);
  EXPECT_DOUBLE_EQ(mean(row.score("correct_top5")), 29.0 / 30);
  EXPECT_DOUBLE_EQ(mean(row.score("loss_given_task")), 17.5 / 30);
  EXPECT_DOUBLE_EQ(row.accuracy(1), 0.6);
  EXPECT_DOUBLE_EQ(mean(row.score("correct_task"), 1), 0.7);
  EXPECT_DOUBLE_EQ(mean(row.score("loss_given_task"), 1), 0.625);
  EXPECT_EQ(row.find("bleu"), nullptr);
}

TEST(StreamMetrics, OfAScoreThatNobodyKnowsAreLastMeansByItsOwnName) {
  EvaluationRow after = scored({10}, {{"correct", {5}}});
  after.scores.push_back({.name = "bleu", .sums = {30}, .weights = {120}});
  EvaluationRow before = after;
  before.scores.back().sums = {60};
  AccuracyMatrix matrix;
  matrix.add_row(after, before);
  const std::vector<NamedMetric> metrics = stream_metrics(matrix);
  ASSERT_GT(metrics.size(), 2u);
  const NamedMetric& last = metrics[metrics.size() - 2];
  EXPECT_EQ(last.name, "last_bleu");
  EXPECT_DOUBLE_EQ(last.value.value(), 0.25);
  EXPECT_EQ(last.unit, Unit::kOther);
  EXPECT_EQ(metrics.back().name, "last_bleu_before_merge");
  EXPECT_DOUBLE_EQ(metrics.back().value.value(), 0.5);
}

// R: 0.8 | 0.5 0.6 | 0.9 0.4 0.9; before the merges 0.9 | 0.4 0.75 | 0.1 0.1 1. Task 1 is best at
// the very end: the peak before the last row is 0.8, with it 0.9.
TEST(StreamMetrics, ForgettingWithTheLastRowIsNeverNegative) {
  AccuracyMatrix matrix;
  matrix.add_row(row({10}, {8}), row({10}, {9}));
  matrix.add_row(row({10, 20}, {5, 12}), row({10, 20}, {4, 15}));
  matrix.add_row(row({10, 20, 10}, {9, 8, 9}), row({10, 20, 10}, {1, 2, 10}));
  auto values = by_name(matrix);
  EXPECT_DOUBLE_EQ(*values["forgetting"], ((0.8 - 0.9) + (0.6 - 0.4)) / 2);
  EXPECT_DOUBLE_EQ(*values["forgetting_with_last"], ((0.9 - 0.9) + (0.6 - 0.4)) / 2);
  EXPECT_DOUBLE_EQ(*values["average_anytime_task_mean"], (0.8 + 0.55 + 2.2 / 3) / 3);
  EXPECT_DOUBLE_EQ(*values["average_anytime_before_merge"], (0.9 + 19.0 / 30 + 13.0 / 40) / 3);
  EXPECT_DOUBLE_EQ(*values["last_before_merge"], 13.0 / 40);
  EXPECT_DOUBLE_EQ(*values["last_task_mean"], (0.9 + 0.4 + 0.9) / 3);
  EXPECT_FALSE(values.at("forward_transfer").has_value());
  EXPECT_FALSE(values.at("last_top5").has_value());
  EXPECT_DOUBLE_EQ(intransigence(matrix, std::vector<double>{1, 0.8, 0.9}),
                   ((1 - 0.8) + (0.8 - 0.6) + (0.9 - 0.9)) / 3);
  EXPECT_THROW(intransigence(matrix, std::vector<double>{1}), Error);
}

// Published code that sorts tasks as text takes task 10 for task 2, and is wrong from the eleventh
// on (by classes: past 100). Here R[l][j] = (200 - l + j) / 200 for l >= j, and 120 tasks.
TEST(StreamMetrics, TasksCountByNumberNotAsText) {
  constexpr std::int64_t kMany = 120, kSamples = 200;
  AccuracyMatrix matrix;
  for (std::int64_t l = 0; l < kMany; ++l) {
    std::vector<std::int64_t> correct;
    for (std::int64_t j = 0; j <= l; ++j) correct.push_back(kSamples - l + j);
    const std::vector<std::int64_t> samples(static_cast<std::size_t>(l + 1), kSamples);
    matrix.add_row(row(samples, correct), row(samples, correct));
  }
  double expected = 0;  // the peak of task j is 1, at l = j; the last is (200 - 119 + j) / 200
  for (std::int64_t j = 0; j + 1 < kMany; ++j)
    expected += 1 - static_cast<double>(kSamples - (kMany - 1) + j) / kSamples;
  expected /= kMany - 1;
  EXPECT_NEAR(matrix.forgetting().value(), expected, 1e-12);
  EXPECT_NEAR(matrix.backward_transfer().value(), -expected, 1e-12);
  EXPECT_DOUBLE_EQ(matrix.plasticity(), 1);
}

TEST(StreamMetrics, SpreadOverSeedsDividesByNMinus1) {
  const Spread three = spread(std::vector<double>{1, 2, 6});
  EXPECT_DOUBLE_EQ(three.mean, 3);
  EXPECT_DOUBLE_EQ(three.deviation.value(), std::sqrt((4.0 + 1 + 9) / 2));
  EXPECT_FALSE(spread(std::vector<double>{5}).deviation.has_value());
  EXPECT_THROW(spread({}), Error);
}

TEST(StreamMetrics, StayInTheirBoundsOnRandomMatrices) {
  std::mt19937 random(7);
  const auto below = [&](std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(0, most)(random);
  };
  for (int repeat = 0; repeat < 1000; ++repeat) {
    AccuracyMatrix matrix;
    const std::int64_t tasks = 1 + below(5);
    std::vector<std::int64_t> samples;
    for (std::int64_t t = 0; t < tasks; ++t) {
      samples.push_back(1 + below(30));
      const auto correct = [&] {
        std::vector<std::int64_t> counts;
        for (const std::int64_t n : samples) counts.push_back(below(n));
        return counts;
      };
      matrix.add_row(row(samples, correct()), row(samples, correct()));
    }
    auto values = by_name(matrix);
    for (const auto& [name, value] : values) {
      EXPECT_TRUE(std::isfinite(value.value_or(0))) << name;
    }
    if (tasks == 1) continue;
    EXPECT_GE(*values["forgetting_with_last"], 0);
    EXPECT_GE(*values["forgetting_with_last"], *values["forgetting"]);
    EXPECT_GE(*values["forgetting_from_peak_before_merge"], *values["forgetting"]);
    EXPECT_GE(*values["forgetting"], -*values["backward_transfer"] - 1e-12);
  }
}

TEST(EvaluationRow, RefusesScoresThatDoNotFit) {
  EXPECT_NO_THROW(check_row(detailed_row(), 2));
  const auto with = [](auto change) {
    return [change] {
      EvaluationRow changed = detailed_row();
      change(changed);
      check_row(changed, 2);
    };
  };
  using testing::HasSubstr;
  const auto refuses = [](const char* what) {
    return testing::ThrowsMessage<Error>(HasSubstr(what));
  };
  const auto top5 = [](auto& r) -> auto& { return score_sums(r, "correct_top5"); };
  EXPECT_THAT(with([=](auto& r) { top5(r).clear(); }), refuses("correct_top5 of 0 tasks"));
  EXPECT_THAT(with([](auto& r) { r.scores[3].weights.pop_back(); }), refuses("weights of 1"));
  EXPECT_THAT(with([](auto& r) { r.class_correct.pop_back(); }), refuses("correct of 4"));
  EXPECT_THAT(with([=](auto& r) { top5(r)[0] = 4; }),
              refuses("4 of correct_top5, less than the 5"));
  EXPECT_THAT(with([](auto& r) { score_sums(r, "correct_task")[1] = 21; }),
              refuses("21 of correct_task over a weight of 20"));
  EXPECT_THAT(with([](auto& r) { score_sums(r, "correct_given_task")[1] = -1; }),
              refuses("-1 of correct_given_task"));
  EXPECT_THAT(with([](auto& r) { score_sums(r, "loss_given_task")[1] = NAN; }),
              refuses("nan of loss_given_task"));
  EXPECT_THAT(with([](auto& r) { r.class_correct[3] = 6; }), refuses("6 correct of 5"));
  EXPECT_THAT(with([](auto& r) { r.class_correct[3] = 1; }), refuses("18 correct of 30"));
  EXPECT_THAT(with([](auto& r) { r.add("correct", {5, 12}); }), refuses("its own name"));
  EXPECT_THAT(with([](auto& r) { r.add("class_samples", {5, 12}); }), refuses("its own name"));
  EXPECT_THAT(with([](auto& r) { r.add("a/b", {5, 12}); }), refuses("its own name"));
  EXPECT_THAT(with([](auto& r) {
                r.scores.push_back({"nats", {1, 1}, {5, 0}});
              }),
              refuses("nats has no weight"));
  EXPECT_NO_THROW(with([](auto& r) { r.add("any_number", {-5.5, 1e6}); })());
}

}  // namespace
}  // namespace palimpsest
