// Time over ranks, against numbers computed by hand; where scaling stops, and the reason given.
#include "palimpsest/plan/forecast.h"

#include <gtest/gtest.h>

#include "palimpsest/plan/exchange.h"

namespace palimpsest {
namespace {

const Machine kMachine{.name = "made up",
                       .ranks_per_node = 4,
                       .node_latency = 1e-6,
                       .node_bandwidth = 1e9,
                       .network_latency = 1e-4,
                       .network_bandwidth = 1e8};
const ComputeCost kCost{.step = 0.001,
                        .lane = 0.002,
                        .sample = 0.01,
                        .fisher = 0.02,
                        .forward = 0.004,
                        .input = 0.0005};
const Workload kWork{.adapter = 100000,
                     .adapted = 500000,
                     .steps = 10,
                     .train_samples = 160,
                     .measured_samples = 160,
                     .tested_samples = 80,
                     .batch = 16,
                     .lanes = 4};

TEST(Forecast, ArithmeticOverARate) {
  const ComputeCost cost = cost_at_rate({.forward = 1e9, .training = 2e9, .fisher = 3e9}, 1e11);
  EXPECT_DOUBLE_EQ(cost.sample, 0.02);
  EXPECT_DOUBLE_EQ(cost.fisher, 0.03);
  EXPECT_DOUBLE_EQ(cost.forward, 0.01);
  EXPECT_EQ(cost.step + cost.lane + cost.input, 0);
}

// 160 samples in chunks of 4 over 8 ranks: 5 rounds, after each of which every owner gets 2 MB from
// three ranks of its node, at 1 GB/s, and from four others, at 0.1 GB/s.
TEST(Forecast, ShardsOfTheFisherAreSentAfterEachRound) {
  Workload work = kWork;
  work.batch = 32;
  work.lanes = 8;
  const Forecast whole = forecast(work, kCost, kMachine, 8);
  work.shard_memory = true;
  const Forecast shards = forecast(work, kCost, kMachine, 8);
  const double whole_exchange = ordered_exchange(8.0 * 500000, 8, 8, kMachine).seconds();
  EXPECT_NEAR(shards.fisher - whole.fisher + whole_exchange, 5 * 2e6 * (3 / 1e9 + 4 / 1e8), 1e-12);
  EXPECT_EQ(shards.training, whole.training);
}

TEST(Forecast, OneRankOnlyComputesAndReads) {
  const Forecast alone = forecast(kWork, kCost, kMachine, 1);
  EXPECT_DOUBLE_EQ(alone.parts[kSamples], 16 * 0.01);
  EXPECT_DOUBLE_EQ(alone.parts[kFixedWork], 0.001 + 4 * 0.002);
  EXPECT_DOUBLE_EQ(alone.parts[kInput], 16 * 0.0005);
  EXPECT_EQ(alone.parts[kLatency] + alone.parts[kBandwidth], 0);
  EXPECT_DOUBLE_EQ(alone.step, 0.16 + 0.009 + 0.008);
  EXPECT_EQ(alone.efficiency, 1);
  EXPECT_DOUBLE_EQ(alone.training, 10 * alone.step);
  EXPECT_DOUBLE_EQ(alone.fisher, 160 * (0.02 + 0.0005));
  EXPECT_DOUBLE_EQ(alone.task, alone.training + alone.fisher + 2 * 40 * (0.004 + 0.0005));
}

TEST(Forecast, TheRankWithTheMostLanesSetsThePace) {
  const auto compute = [](std::int64_t ranks) {
    const Forecast at = forecast(kWork, kCost, kMachine, ranks);
    return at.parts[kSamples] + at.parts[kFixedWork];
  };
  EXPECT_DOUBLE_EQ(compute(2), 8 * 0.01 + 0.001 + 2 * 0.002);
  EXPECT_DOUBLE_EQ(compute(3), compute(2));  // one rank has two of four lanes
  EXPECT_DOUBLE_EQ(compute(4), 4 * 0.01 + 0.001 + 0.002);
}

TEST(Forecast, RanksBeyondTheBatchAreIdle) {
  const Forecast wide = forecast(kWork, kCost, kMachine, 32);
  EXPECT_EQ(wide.lanes, 32);
  EXPECT_EQ(wide.idle_ranks, 16);
  EXPECT_EQ(wide.busy_samples, 1);
}

TEST(Forecast, AStepExchangesGradientsAndAgrees) {
  const double trained = 4 * static_cast<double>(kWork.trained());
  const double agreed = agreement(4, kMachine).latency;
  const auto exchanged = [](const Workload& work) {
    const Forecast at = forecast(work, kCost, kMachine, 4);
    return at.parts[kLatency] + at.parts[kBandwidth];
  };
  EXPECT_DOUBLE_EQ(exchanged(kWork), ordered_exchange(trained, 4, 4, kMachine).seconds() + agreed);
  Workload unordered = kWork;
  unordered.ordered = false;
  EXPECT_DOUBLE_EQ(exchanged(unordered), all_reduce(trained, 4, kMachine).seconds() + agreed);
}

TEST(Forecast, InputForAllRanksTogether) {
  Machine slow = kMachine;
  slow.shared_input_rate = 1000;
  EXPECT_DOUBLE_EQ(forecast(kWork, kCost, slow, 1).parts[kInput], 16 / 1000.0);
  EXPECT_DOUBLE_EQ(forecast(kWork, kCost, slow, 4).parts[kInput], 16 / 1000.0);
  slow.shared_input_rate = 1e9;
  EXPECT_DOUBLE_EQ(forecast(kWork, kCost, slow, 4).parts[kInput], 4 * 0.0005);
}

TEST(Forecast, ClassifiersAreSolvedOnRank0Alone) {
  Workload work = kWork;
  work.classifier_operations = 3e9;
  ComputeCost cost = kCost;
  cost.operation = 1e-9;
  for (const std::int64_t ranks : {1, 4}) {
    EXPECT_DOUBLE_EQ(forecast(work, cost, kMachine, ranks).task,
                     forecast(kWork, kCost, kMachine, ranks).task + 3);
  }
}

TEST(Forecast, OtherPassesAreOverTheTrainingSamples) {
  Workload work = kWork;
  work.forwards = 2.5;
  EXPECT_DOUBLE_EQ(
      forecast(work, kCost, kMachine, 2).task - forecast(kWork, kCost, kMachine, 2).task,
      2.5 * 80 * (0.004 + 0.0005));
  work.fisher = false;
  EXPECT_EQ(forecast(work, kCost, kMachine, 2).fisher, 0);
}

// A network that costs nothing: what stops the scaling is put in by each test.
const Machine kFree{.name = "free", .node_bandwidth = 1e30, .network_bandwidth = 1e30};
const ComputeCost kSampleCost{.sample = 0.01};
const Workload kStream{.adapter = 100000, .steps = 10, .batch = 64, .lanes = 4};

TEST(Scaling, IsPerfectWhereNothingIsLost) {
  const Forecast at = forecast(kStream, kSampleCost, kFree, 8);
  EXPECT_EQ(at.lanes, 8);
  EXPECT_NEAR(at.efficiency, 1, 1e-9);
}

TEST(Scaling, EndsWithTheBatch) {
  const ScalingEnd end = scaling_end(kStream, kSampleCost, kFree);
  EXPECT_EQ(end.last.ranks, 64);
  EXPECT_EQ(end.beyond.ranks, 128);               // half of them idle
  EXPECT_NEAR(end.beyond.efficiency, 0.5, 1e-6);  // but no faster
  EXPECT_EQ(end.limit, kSamples);
  EXPECT_EQ(end.beyond.idle_ranks, 64);
  EXPECT_EQ(end.fastest.ranks, 64);
}

TEST(Scaling, EndsWhereFixedWorkOutweighsTheSamples) {
  // 0.64 + 4 * 0.02 s alone; 8 ranks: 0.08 + 0.02 s, 90 %; 32 ranks: 0.02 + 0.02 s, 56 %.
  const ComputeCost cost{.lane = 0.02, .sample = 0.01};
  EXPECT_NEAR(forecast(kStream, cost, kFree, 8).efficiency, 0.9, 1e-6);
  const ScalingEnd end = scaling_end(kStream, cost, kFree);
  EXPECT_EQ(end.last.ranks, 32);
  EXPECT_NEAR(end.last.efficiency, 0.5625, 1e-6);
  EXPECT_EQ(end.limit, kFixedWork);
}

TEST(Scaling, EndsAtTheNetwork) {
  Machine slow = kFree;
  slow.network_latency = 0.01;
  EXPECT_EQ(scaling_end(kStream, kSampleCost, slow).limit, kLatency);
  slow = kFree;
  slow.network_bandwidth = 1e6;
  const ScalingEnd end = scaling_end(kStream, kSampleCost, slow);
  EXPECT_EQ(end.limit, kBandwidth);
  EXPECT_EQ(end.last.ranks, 1);  // 0.6 s to send what saves 0.32 s
  EXPECT_EQ(end.fastest.ranks, 1);
}

TEST(Scaling, EndsWhereSamplesComeInTooSlowly) {
  Machine slow = kFree;
  slow.shared_input_rate = 1000;  // 0.064 s a step, whatever the ranks
  const ScalingEnd end = scaling_end(kStream, kSampleCost, slow);
  EXPECT_EQ(end.limit, kInput);
  EXPECT_EQ(end.last.ranks, 8);  // (0.64 + 0.064) / 8 of 0.08 + 0.064 s: 61 %
}

}  // namespace
}  // namespace palimpsest
