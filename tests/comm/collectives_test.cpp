#include "palimpsest/comm/collectives.h"

#include <gmock/gmock.h>

#include <vector>

#include "comm/to_buffer.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

// Whole messages, and messages of three elements.
struct MpiCollectivesTest : testing::TestWithParam<std::size_t> {
  Watchdog watchdog{30};
  std::unique_ptr<Collectives> collectives = make_mpi_collectives(watchdog, GetParam());
  const int rank = collectives->rank();
  const int size = collectives->size();
};
INSTANTIATE_TEST_SUITE_P(MessageSizes, MpiCollectivesTest, testing::Values(kLargestMessage, 3));

TEST_P(MpiCollectivesTest, AllReduceSumsOverRanks) {
  std::vector<float> floats(10, static_cast<float>(rank + 1));
  collectives->all_reduce_sum(to_buffer(floats));
  EXPECT_THAT(floats, testing::Each(static_cast<float>(size * (size + 1) / 2)));

  std::vector<double> doubles(4, 1e-12);
  doubles[3] = rank;
  collectives->all_reduce_sum(to_buffer(doubles));
  EXPECT_DOUBLE_EQ(doubles[0], size * 1e-12);
  EXPECT_EQ(doubles[3], size * (size - 1) / 2);

  std::vector<float> nothing;
  collectives->all_reduce_sum(to_buffer(nothing));
}

// Rank a sends a + 2b numbers to rank b, so nothing from rank 0 to itself and uneven blocks
// elsewhere; what rank 1 would send to rank 0 is left empty.
std::size_t block(int from, int to) {
  return from == 1 && to == 0 ? 0 : static_cast<std::size_t>(from + 2 * to);
}

TEST_P(MpiCollectivesTest, ExchangeMovesUnevenAndEmptyBlocks) {
  std::vector<std::vector<float>> outgoing;
  std::vector<std::vector<float>> incoming;
  for (int peer = 0; peer < size; ++peer) {
    outgoing.emplace_back(block(rank, peer), static_cast<float>(10 * rank + peer));
    incoming.emplace_back(block(peer, rank), -1.0F);
  }
  std::vector<Transfer> sends;
  std::vector<Transfer> receives;
  for (int peer = 0; peer < size; ++peer) {
    if (peer == rank) continue;
    sends.push_back({peer, to_buffer(outgoing[static_cast<std::size_t>(peer)])});
    receives.push_back({peer, to_buffer(incoming[static_cast<std::size_t>(peer)])});
  }
  collectives->exchange(sends, receives);
  for (const Transfer& received : receives) {
    EXPECT_THAT(incoming[static_cast<std::size_t>(received.peer)],
                testing::Each(static_cast<float>(10 * received.peer + rank)));
  }
}

TEST_P(MpiCollectivesTest, TheKthSendMeetsTheKthReceive) {
  if (size == 1) GTEST_SKIP() << "needs a peer";
  const int next = (rank + 1) % size;
  const int previous = (rank + size - 1) % size;
  std::vector<float> first(5, 1.0F);
  std::vector<float> second(2, 2.0F);
  std::vector<float> got_first(5);
  std::vector<float> got_second(2);
  collectives->exchange({{{next, to_buffer(first)}, {next, to_buffer(second)}}},
                        {{{previous, to_buffer(got_first)}, {previous, to_buffer(got_second)}}});
  EXPECT_EQ(got_first, first);
  EXPECT_EQ(got_second, second);
}

TEST_P(MpiCollectivesTest, ExchangeWithItselfOrWithNobodyIsAnError) {
  std::vector<float> values(1);
  for (const int peer : {rank, size, -1}) {
    const Transfer transfer = {peer, to_buffer(values)};
    EXPECT_THROW(collectives->exchange({&transfer, 1}, {}), Error);
    EXPECT_THROW(collectives->exchange({}, {&transfer, 1}), Error);
  }
}

TEST_P(MpiCollectivesTest, DeviceMemoryIsRefused) {
  std::vector<float> values(1);
  Buffer buffer = to_buffer(values);
  buffer.stream = &values;
  EXPECT_THROW(collectives->all_reduce_sum(buffer), Error);
  const Transfer to_next = {(rank + 1) % size, buffer};
  EXPECT_THROW(collectives->exchange({&to_next, 1}, {}), Error);
}

TEST(SingleCollectivesTest, OneProcessKeepsItsValues) {
  const auto single = make_single_collectives();
  EXPECT_EQ(single->rank(), 0);
  EXPECT_EQ(single->size(), 1);
  std::vector<float> values = {1, 2};
  single->all_reduce_sum(to_buffer(values));
  single->exchange({}, {});
  EXPECT_THAT(values, testing::ElementsAre(1, 2));
  const Transfer to_itself = {0, to_buffer(values)};
  EXPECT_THROW(single->exchange({&to_itself, 1}, {}), Error);
}

TEST(DataTypeTest, SizesAreInBytes) {
  EXPECT_EQ(element_size(DataType::kFloat32), sizeof(float));
  EXPECT_EQ(element_size(DataType::kFloat64), sizeof(double));
}

}  // namespace
}  // namespace palimpsest
