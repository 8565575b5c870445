// Time over ranks, against numbers worked out by hand.
#include "palimpsest/plan/forecast.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

const Device kDevice{.name = "made up",
                     .fp32 = 1e12,
                     .bf16 = 4e12,
                     .share = 0.5,
                     .node_bandwidth = 1e9,
                     .fleet_bandwidth = 1e8,
                     .ranks_per_node = 4};
const Operations kOperations{.forward = 1e9, .training = 2e9, .fisher = 3e9};
const ParameterCounts kParameters{
    .backbone = 1000000, .adapted = 500000, .adapter = 90000, .head = 10000};
const TaskWork kWork{.steps = 10,
                     .batch = 16,
                     .train_samples = 160,
                     .test_samples = 40,
                     .lanes = 4,
                     .ordered = true};

TEST(Forecast, OneRankOnlyComputes) {
  const TaskForecast alone = forecast(kWork, kOperations, kParameters, kDevice, 1);
  EXPECT_DOUBLE_EQ(alone.step_compute, 16 * 2e9 / 0.5e12);
  EXPECT_EQ(alone.step_exchange, 0);
  EXPECT_DOUBLE_EQ(alone.training, 10 * alone.step_compute);
  EXPECT_DOUBLE_EQ(alone.fisher, 160 * (3e9 + 1e9) / 0.5e12);
  EXPECT_DOUBLE_EQ(alone.evaluation, 40 * 1e9 / 0.5e12);
}

TEST(Forecast, TheRankWithTheMostLanesSetsThePace) {
  const TaskForecast two = forecast(kWork, kOperations, kParameters, kDevice, 2);
  const TaskForecast three = forecast(kWork, kOperations, kParameters, kDevice, 3);
  const TaskForecast four = forecast(kWork, kOperations, kParameters, kDevice, 4);
  EXPECT_DOUBLE_EQ(two.step_compute, 8 * 2e9 / 0.5e12);
  EXPECT_DOUBLE_EQ(three.step_compute, two.step_compute);  // one rank has two of the four lanes
  EXPECT_DOUBLE_EQ(four.step_compute, 4 * 2e9 / 0.5e12);
  TaskWork wide = kWork;
  wide.lanes = 32;
  EXPECT_EQ(forecast(wide, kOperations, kParameters, kDevice, 32).idle_ranks, 16);
}

TEST(Forecast, TheExchangeGrowsWithTheLanesOfARank) {
  // Two ranks, two lanes each: half of two lanes, and half of the sum; 4 bytes a number.
  EXPECT_DOUBLE_EQ(exchanged_bytes(1000, 4, 2, true), 4 * 1000 * (2 * 0.5 + 0.5));
  EXPECT_DOUBLE_EQ(exchanged_bytes(1000, 4, 2, false), 4 * 1000 * (0.5 + 0.5));
  EXPECT_EQ(exchanged_bytes(1000, 4, 1, true), 0);
  const TaskForecast inside = forecast(kWork, kOperations, kParameters, kDevice, 4);
  EXPECT_NEAR(inside.step_exchange, 4 * 100000 * 1.5 / 1e9 + 2 * 3 * 5e-6, 1e-12);
  TaskWork wide = kWork;
  wide.lanes = 8;
  const TaskForecast between = forecast(wide, kOperations, kParameters, kDevice, 8);
  EXPECT_NEAR(between.step_exchange, 4 * 100000 * 1.75 / 1e8 + 2 * 7 * 5e-6, 1e-12);
}

TEST(Forecast, WithoutAFisherThereIsNothingToMeasure) {
  TaskWork average = kWork;
  average.fisher_pass = average.loss_pass = false;
  const TaskForecast time = forecast(average, kOperations, kParameters, kDevice, 2);
  EXPECT_EQ(time.fisher + time.merge, 0);
}

TEST(Forecast, KnowsDevicesByName) {
  EXPECT_EQ(published_device("h200").memory, 141e9);
  EXPECT_THAT([] { published_device("h2000"); },
              testing::ThrowsMessage<UsageError>(testing::HasSubstr("a100, h100, h200")));
}

}  // namespace
}  // namespace palimpsest
