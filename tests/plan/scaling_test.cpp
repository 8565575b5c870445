// Where scaling stops, and the reason given.
#include "palimpsest/plan/scaling.h"

#include <gtest/gtest.h>

namespace palimpsest {
namespace {

// A network that costs nothing: what stops the scaling is put in by each test.
const Machine kFree{.name = "free",
                    .ranks_per_node = 1,
                    .node = {.latency = 0, .bandwidth = 1e30},
                    .network = {.latency = 0, .bandwidth = 1e30}};
const ComputeCost kSampleCost{.sample = 0.01};
const TaskWork kStream{.steps = 10,
                       .batch = 64,
                       .train_samples = 640,
                       .lanes = 4,
                       .ordered = true,
                       .trained = 100000,
                       .adapted = 500000};

TEST(Scaling, IsPerfectWhereNothingIsLost) {
  const ScalingPoint point = scaling_point(kStream, kSampleCost, kFree, 8);
  EXPECT_EQ(point.work.lanes, 8);
  EXPECT_NEAR(point.efficiency, 1, 1e-9);
  EXPECT_EQ(scaling_point(kStream, kSampleCost, kFree, 1).efficiency, 1);
}

TEST(Scaling, EndsWithTheBatch) {
  const ScalingEnd end = scaling_end(kStream, kSampleCost, kFree);
  EXPECT_EQ(end.last.ranks, 64);
  EXPECT_EQ(end.beyond.ranks, 128);               // half of them idle
  EXPECT_NEAR(end.beyond.efficiency, 0.5, 1e-6);  // but no faster
  EXPECT_EQ(end.limit, Limit::kSamples);
  EXPECT_EQ(end.beyond.time.idle_ranks, 64);
  EXPECT_EQ(end.fastest.ranks, 64);
}

TEST(Scaling, EndsWhereFixedWorkOutweighsTheSamples) {
  // 0.64 + 4 * 0.02 s alone; 8 ranks: 0.08 + 0.02 s, 90 %; 32 ranks: 0.02 + 0.02 s, 56 %.
  const ScalingEnd end = scaling_end(kStream, {.lane = 0.02, .sample = 0.01}, kFree);
  EXPECT_NEAR(scaling_point(kStream, {.lane = 0.02, .sample = 0.01}, kFree, 8).efficiency, 0.9,
              1e-6);
  EXPECT_EQ(end.last.ranks, 32);
  EXPECT_NEAR(end.last.efficiency, 0.5625, 1e-6);
  EXPECT_EQ(end.limit, Limit::kFixedWork);
}

TEST(Scaling, EndsAtTheNetwork) {
  Machine slow = kFree;
  slow.network.latency = 0.01;
  EXPECT_EQ(scaling_end(kStream, kSampleCost, slow).limit, Limit::kLatency);
  slow = kFree;
  slow.network.bandwidth = 1e6;
  const ScalingEnd end = scaling_end(kStream, kSampleCost, slow);
  EXPECT_EQ(end.limit, Limit::kBandwidth);
  EXPECT_EQ(end.last.ranks, 1);  // 0.6 s to send what saves 0.32 s
  EXPECT_EQ(end.fastest.ranks, 1);
}

TEST(Scaling, EndsWhereSamplesComeInTooSlowly) {
  Machine slow = kFree;
  slow.shared_input_rate = 1000;  // 0.064 s a step, whatever the ranks
  const ScalingEnd end = scaling_end(kStream, kSampleCost, slow);
  EXPECT_EQ(end.limit, Limit::kInput);
  EXPECT_EQ(end.last.ranks, 8);  // (0.64 + 0.064) / 8 of 0.08 + 0.064 s: 61 %
}

}  // namespace
}  // namespace palimpsest
