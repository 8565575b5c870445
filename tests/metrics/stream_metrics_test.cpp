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
  return {.samples = {10, 20},
          .correct = {5, 12},
          .correct_given_task = {8, 15},
          .correct_top5 = {9, 20},
          .correct_task = {6, 14},
          .loss_given_task = {5, 12.5},
          .class_samples = {4, 6, 5, 5, 10},
          .class_correct = {2, 3, 5, 0, 7}};
}

std::map<std::string, std::optional<double>> by_name(const AccuracyMatrix& accuracy) {
  std::map<std::string, std::optional<double>> values;
  for (const auto& [name, value] : stream_metrics(accuracy)) values[std::string(name)] = value;
  return values;
}

TEST(StreamMetrics, OfARowAndOfATaskAreThoseWorkedOutByHand) {
  const RowMetrics all = row_metrics(detailed_row());
  EXPECT_DOUBLE_EQ(all.accuracy, 17.0 / 30);
  EXPECT_DOUBLE_EQ(all.task_mean, (0.5 + 0.6) / 2);
  EXPECT_DOUBLE_EQ(all.given_task, 23.0 / 30);
  EXPECT_DOUBLE_EQ(all.task_identity.value(), 20.0 / 30);
  EXPECT_DOUBLE_EQ(all.top5.value(), 29.0 / 30);
  EXPECT_DOUBLE_EQ(all.loss_given_task.value(), 17.5 / 30);
  const RowMetrics second = task_metrics(detailed_row(), 1);
  EXPECT_DOUBLE_EQ(second.accuracy, 0.6);
  EXPECT_DOUBLE_EQ(second.task_identity.value(), 0.7);
  EXPECT_DOUBLE_EQ(second.loss_given_task.value(), 0.625);
  EXPECT_FALSE(row_metrics(row({10}, {5})).top5.has_value());
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

TEST(StreamMetrics, HoldTheirBoundsOnRandomMatrices) {
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

TEST(EvaluationRow, RefusesDetailsThatDoNotFit) {
  EXPECT_NO_THROW(detailed_row().check(2));
  const auto with = [](auto change) {
    return [change] {
      EvaluationRow changed = detailed_row();
      change(changed);
      changed.check(2);
    };
  };
  using testing::HasSubstr;
  const auto refuses = [](const char* what) {
    return testing::ThrowsMessage<Error>(HasSubstr(what));
  };
  EXPECT_THAT(with([](auto& r) { r.correct_top5.clear(); }), refuses("top five of 0"));
  EXPECT_THAT(with([](auto& r) { r.class_correct.pop_back(); }), refuses("correct of 4"));
  EXPECT_THAT(with([](auto& r) { r.correct_top5[0] = 4; }), refuses("4 among the top five"));
  EXPECT_THAT(with([](auto& r) { r.correct_task[1] = 21; }), refuses("21 of its task"));
  EXPECT_THAT(with([](auto& r) { r.loss_given_task[1] = NAN; }), refuses("loss of nan"));
  EXPECT_THAT(with([](auto& r) { r.class_correct[3] = 6; }), refuses("6 correct of 5"));
  EXPECT_THAT(with([](auto& r) { r.class_correct[3] = 1; }), refuses("18 correct of 30"));
}

}  // namespace
}  // namespace palimpsest
