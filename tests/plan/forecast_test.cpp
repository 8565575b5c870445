// Time over ranks, against numbers worked out by hand.
#include "palimpsest/plan/forecast.h"

#include <gtest/gtest.h>

namespace palimpsest {
namespace {

const Machine kMachine{.name = "made up",
                       .ranks_per_node = 4,
                       .node = {.latency = 1e-6, .bandwidth = 1e9},
                       .network = {.latency = 1e-4, .bandwidth = 1e8},
                       .merge_bandwidth = 1e9};
const ComputeCost kCost{.step = 0.001,
                        .lane = 0.002,
                        .sample = 0.01,
                        .fisher = 0.02,
                        .forward = 0.004,
                        .input = 0.0005};
const TaskWork kWork{.steps = 10,
                     .batch = 16,
                     .train_samples = 160,
                     .test_samples = 40,
                     .lanes = 4,
                     .ordered = true,
                     .trained = 100000,
                     .adapted = 500000};

TEST(Forecast, ArithmeticOverARate) {
  const ComputeCost cost = cost_at_rate({.forward = 1e9, .training = 2e9, .fisher = 3e9}, 1e11);
  EXPECT_DOUBLE_EQ(cost.sample, 0.02);
  EXPECT_DOUBLE_EQ(cost.fisher, 0.03);
  EXPECT_DOUBLE_EQ(cost.forward, 0.01);
  EXPECT_EQ(cost.step + cost.lane + cost.input, 0);
}

TEST(Forecast, OneRankOnlyComputesAndReads) {
  const TaskForecast alone = forecast(kWork, kCost, kMachine, 1);
  EXPECT_DOUBLE_EQ(alone.step.samples, 16 * 0.01);
  EXPECT_DOUBLE_EQ(alone.step.fixed, 0.001 + 4 * 0.002);
  EXPECT_DOUBLE_EQ(alone.step.input, 16 * 0.0005);
  EXPECT_EQ(alone.step.exchange.seconds(), 0);
  EXPECT_DOUBLE_EQ(alone.training, 10 * (0.16 + 0.009 + 0.008));
  EXPECT_DOUBLE_EQ(alone.fisher, 160 * (0.02 + 0.004 + 2 * 0.0005));
  EXPECT_DOUBLE_EQ(alone.evaluation, 2 * 40 * (0.004 + 0.0005));
  EXPECT_DOUBLE_EQ(alone.merge, 16 * 500000 / 1e9);
}

TEST(Forecast, TheRankWithTheMostLanesSetsThePace) {
  const TaskForecast two = forecast(kWork, kCost, kMachine, 2);
  const TaskForecast three = forecast(kWork, kCost, kMachine, 3);
  const TaskForecast four = forecast(kWork, kCost, kMachine, 4);
  EXPECT_DOUBLE_EQ(two.step.compute(), 8 * 0.01 + 0.001 + 2 * 0.002);
  EXPECT_DOUBLE_EQ(three.step.compute(), two.step.compute());  // one rank has two of four lanes
  EXPECT_DOUBLE_EQ(four.step.compute(), 4 * 0.01 + 0.001 + 0.002);
}

TEST(Forecast, LanesAreRaisedToTheRanks) {
  const TaskWork wide = over_ranks(kWork, 32);
  EXPECT_EQ(wide.lanes, 32);
  EXPECT_EQ(over_ranks(kWork, 2).lanes, 4);
  const TaskForecast time = forecast(wide, kCost, kMachine, 32);
  EXPECT_EQ(time.idle_ranks, 16);
  EXPECT_EQ(time.busy_samples, 1);
  TaskWork unordered = kWork;
  unordered.ordered = false;
  EXPECT_EQ(over_ranks(unordered, 2).lanes, 2);
}

TEST(Forecast, AStepExchangesGradientsAndAgrees) {
  const ExchangeCost agreed = agreement(4, kMachine);
  const ExchangeCost gradients = ordered_exchange(4 * 100000, 4, 4, kMachine);
  const TaskForecast four = forecast(kWork, kCost, kMachine, 4);
  EXPECT_DOUBLE_EQ(four.step.exchange.seconds(), gradients.seconds() + agreed.seconds());
  TaskWork unordered = kWork;
  unordered.ordered = false;
  EXPECT_DOUBLE_EQ(forecast(over_ranks(unordered, 4), kCost, kMachine, 4).step.exchange.seconds(),
                   all_reduce(4 * 100000, 4, kMachine).seconds() + agreed.seconds());
}

TEST(Forecast, InputForAllRanksTogether) {
  Machine slow = kMachine;
  slow.shared_input_rate = 1000;
  EXPECT_DOUBLE_EQ(forecast(kWork, kCost, slow, 1).step.input, 16 / 1000.0);
  EXPECT_DOUBLE_EQ(forecast(kWork, kCost, slow, 4).step.input, 16 / 1000.0);
  slow.shared_input_rate = 1e9;
  EXPECT_DOUBLE_EQ(forecast(kWork, kCost, slow, 4).step.input, 4 * 0.0005);
}

TEST(Forecast, WhatIsMeasuredAfterAMergeIsPassesOverTheTrainingSamples) {
  TaskWork work = kWork;
  work.merge_passes = 2.5;
  const TaskForecast less = forecast(kWork, kCost, kMachine, 2);
  const TaskForecast more = forecast(work, kCost, kMachine, 2);
  EXPECT_DOUBLE_EQ(more.merge - less.merge, 2.5 * 80 * (0.004 + 0.0005));
  EXPECT_DOUBLE_EQ(more.seconds() - less.seconds(), more.merge - less.merge);
}

TEST(Forecast, WithoutAFisherThereIsNothingToMeasure) {
  TaskWork average = kWork;
  average.fisher_pass = average.loss_pass = false;
  const TaskForecast time = forecast(average, kCost, kMachine, 2);
  EXPECT_EQ(time.fisher + time.merge, 0);
}

}  // namespace
}  // namespace palimpsest
