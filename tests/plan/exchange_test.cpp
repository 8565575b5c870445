// What ranks exchange, against numbers computed by hand.
#include "palimpsest/plan/exchange.h"

#include <gtest/gtest.h>

namespace palimpsest {
namespace {

constexpr double kNear = 1e-12;

// Nodes of four ranks with one adapter each. Messages longer than 1000 bytes ask first.
const Machine kCluster{.name = "made up",
                       .ranks_per_node = 4,
                       .node_latency = 1e-6,
                       .node_bandwidth = 1e9,
                       .network_latency = 1e-4,
                       .network_bandwidth = 1e8,
                       .message_overhead = 1e-5,
                       .eager_bytes = 1000};

TEST(Exchange, BytesGrowWithTheLanesOfARank) {
  // Two ranks, two lanes each: half of two lanes, and half of the sum.
  EXPECT_DOUBLE_EQ(exchanged_bytes(4000, 4, 2, true), 4000 * (2 * 0.5 + 0.5));
  EXPECT_DOUBLE_EQ(exchanged_bytes(4000, 4, 2, false), 4000 * (0.5 + 0.5));
  EXPECT_EQ(exchanged_bytes(4000, 4, 1, true), 0);
}

TEST(Exchange, NobodyToTalkToCostsNothing) {
  EXPECT_EQ(ordered_exchange(1e6, 4, 1, kCluster).seconds(), 0);
  EXPECT_EQ(all_reduce(1e6, 1, kCluster).seconds(), 0);
  EXPECT_EQ(agreement(1, kCluster).seconds(), 0);
}

TEST(Exchange, OrderedLanesInsideANode) {
  // Four ranks, eight lanes: 2 * 3 slices of 100 bytes, then 3; all at once.
  const ExchangeCost cost = ordered_exchange(400, 8, 4, kCluster);
  EXPECT_NEAR(cost.latency, 2 * 1e-6 + 9 * 1e-5, kNear);
  EXPECT_NEAR(cost.transfer, 9 * 100 / 1e9, kNear);
}

TEST(Exchange, LongMessagesAskFirst) {
  const ExchangeCost cost = ordered_exchange(40000, 2, 2, kCluster);
  EXPECT_NEAR(cost.latency, 3 * 2 * 1e-6 + 2 * 1e-5, kNear);
  EXPECT_NEAR(cost.transfer, 2 * 20000 / 1e9, kNear);
}

TEST(Exchange, OrderedLanesBetweenNodesShareTheAdapter) {
  // Eight ranks on two nodes: each sends four others of its node's ranks' slices through one
  // adapter, and the last of seven receivers waits.
  const ExchangeCost cost = ordered_exchange(800, 8, 8, kCluster);
  EXPECT_NEAR(cost.latency, 2 * (1e-4 + 7 * 1e-5), kNear);
  EXPECT_NEAR(cost.transfer, 2 * 4 * 4 * 100 / 1e8 * (2 - 1.0 / 7), kNear);
  Machine own = kCluster;
  own.adapter_for_each_rank = true;
  EXPECT_NEAR(ordered_exchange(800, 8, 8, own).transfer, cost.transfer / 4, kNear);
  own.accelerator = true;  // in turn
  EXPECT_NEAR(ordered_exchange(800, 8, 8, own).transfer, 2 * 4 * 100 / 1e8, kNear);
}

TEST(Exchange, AllReduceDoubles) {
  // Ranks 1 and 2 apart are in a node, those 4 apart are not, and four share an adapter.
  const ExchangeCost cost = all_reduce(800, 8, kCluster);
  EXPECT_NEAR(cost.latency, 2 * 1e-6 + 1e-4 + 3 * 1e-5, kNear);
  EXPECT_NEAR(cost.transfer, 2 * 800 / 1e9 + 4 * 800 / 1e8, kNear);
  // 400 and 200 bytes in the node and 100 between nodes, to and fro: of 800 bytes, 7/4 pass a rank.
  Machine device = kCluster;
  device.accelerator = device.adapter_for_each_rank = true;
  const ExchangeCost halved = all_reduce(800, 8, device);
  EXPECT_NEAR(halved.latency, 2 * cost.latency, kNear);
  EXPECT_NEAR(halved.transfer, 2 * (600 / 1e9 + 100 / 1e8), kNear);
}

TEST(Exchange, AnAgreementIsOneNumberInEveryRound) {
  EXPECT_NEAR(agreement(8, kCluster).seconds(), 2 * 1e-6 + 1e-4 + 3 * 1e-5, kNear);
  EXPECT_NEAR(agreement(3, kCluster).seconds(), 2 * 1e-6 + 2 * 1e-5, kNear);
}

TEST(Exchange, LongMessagesOfAnAllReduceAskFirst) {
  // Three rounds: three latencies in each.
  EXPECT_NEAR(all_reduce(1e6, 8, kCluster).latency, 3 * (2 * 1e-6 + 1e-4) + 3 * 1e-5, kNear);
}

}  // namespace
}  // namespace palimpsest
