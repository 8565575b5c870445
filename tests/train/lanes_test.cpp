#include "palimpsest/session/lanes.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <mpi.h>

#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/random.h"
#include "palimpsest/session/lane_rounds.h"

namespace palimpsest {
namespace {

// What lane `lane` contributes; 1e7 makes a sum in another order another number.
at::Tensor contribution(std::int64_t lane, std::int64_t size) {
  std::vector<float> values(static_cast<std::size_t>(size));
  fill_uniform(values, lane % 2 == 0 ? 1 : 1e7,
               RandomStream(3, Purpose::kTest, 0, static_cast<std::uint64_t>(lane)));
  return at::tensor(values);
}

class Reduction : public testing::Test {
 protected:
  Reduction() : watchdog_(60) {
    int size = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    collectives_ = size == 1 ? make_single_collectives() : make_mpi_collectives(watchdog_);
  }
  at::Tensor reduced(Lanes lanes, std::int64_t size, at::ScalarType type) {
    LaneSum sums(*collectives_, lanes, size, type, at::kCPU);
    for (std::size_t i = 0; i < sums.own_lanes().size(); ++i)
      sums.part(i).copy_(contribution(sums.own_lanes()[i], size));
    return sums.reduce().clone();
  }
  Watchdog watchdog_;
  std::unique_ptr<Collectives> collectives_;
};

class LaneSums : public Reduction, public testing::WithParamInterface<at::ScalarType> {};

TEST_P(LaneSums, AddsInLaneOrderToTheLastBitAtEveryWorldSize) {
  for (const std::int64_t size : {1, 3, 15, 16, 17, 100, 1001}) {
    at::Tensor expected = contribution(0, size).to(GetParam());
    for (std::int64_t lane = 1; lane < 5; ++lane)
      expected.add_(contribution(lane, size).to(GetParam()));
    EXPECT_TRUE(at::equal(reduced({.count = 5, .ordered = true}, size, GetParam()), expected))
        << "size " << size;
  }
}

TEST_P(LaneSums, OneLaneARankAddsUpToTheSameNumber) {
  const std::int64_t lanes = collectives_->size();
  at::Tensor expected = at::zeros({100}, at::kDouble);
  for (std::int64_t lane = 0; lane < lanes; ++lane) expected.add_(contribution(lane, 100));
  const at::Tensor sum = reduced({.count = lanes, .ordered = false}, 100, GetParam());
  EXPECT_TRUE(at::allclose(sum.to(at::kDouble), expected, 1e-6, 1.0));
}

TEST_F(Reduction, RoundsOfLanesAddUpToTheSameBitsOnRankZero) {
  for (const std::int64_t lanes : {1, 3, 4, 7}) {
    for (const std::int64_t size : {1, 17, 1001}) {
      at::Tensor expected = contribution(0, size).to(at::kDouble);
      for (std::int64_t lane = 1; lane < lanes; ++lane)
        expected.add_(contribution(lane, size).to(at::kDouble));
      LaneRounds rounds(*collectives_, lanes, size, at::kCPU);
      std::vector<std::int64_t> own;
      for (; rounds.has_round(); rounds.finish_round()) {
        EXPECT_EQ(rounds.part().count_nonzero().item<std::int64_t>(), 0);
        if (!rounds.lane()) continue;
        own.push_back(*rounds.lane());
        rounds.part().add_(contribution(own.back(), size));
      }
      EXPECT_EQ(own, Lanes{.count = lanes}.of_rank(collectives_->rank(), collectives_->size()));
      const at::Tensor total = rounds.take_total();
      EXPECT_EQ(total.defined(), collectives_->rank() == 0);
      if (total.defined()) {
        EXPECT_TRUE(at::equal(total, expected)) << lanes << " lanes, size " << size;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LaneSums, testing::Values(at::kFloat, at::kDouble));

TEST(LanesTest, EveryLaneBelongsToOneRank) {
  const Lanes lanes{.count = 7};
  std::vector<std::int64_t> all;
  for (int rank = 0; rank < 3; ++rank) {
    for (const std::int64_t lane : lanes.of_rank(rank, 3)) all.push_back(lane);
  }
  EXPECT_THAT(all, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6));
}

}  // namespace
}  // namespace palimpsest
