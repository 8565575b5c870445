#include "palimpsest/session/lanes.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <mpi.h>

#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/random.h"

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
    const at::Tensor on_root = sums.reduce_to_root(), sum = sums.reduce().clone();
    EXPECT_EQ(on_root.defined(), collectives_->rank() == 0);
    EXPECT_TRUE(!on_root.defined() || at::equal(on_root, sum)) << "size " << size;
    return sum;
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
