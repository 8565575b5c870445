#include "palimpsest/comm/nccl.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

#include "comm/to_buffer.h"
#include "host_nccl.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct NcclTest : testing::Test {
  Watchdog watchdog{30};
  HostGroup group{watchdog};
  HostNccl nccl;

  std::unique_ptr<Collectives> make(double abort_seconds = 5) {
    auto collectives = make_nccl_collectives(nccl.api(), group, watchdog, abort_seconds);
    started_with = std::exchange(nccl.calls, {});
    return collectives;
  }

  // The message of the error that the all-reduce must end in.
  template <typename Expected>
  std::string all_reduce_failure(Collectives& collectives, std::size_t count) {
    std::vector<float> values(count);
    try {
      collectives.all_reduce_sum(to_buffer(values));
    } catch (const Expected& error) {
      return error.what();
    }
    ADD_FAILURE() << "the all-reduce did not fail";
    return "";
  }

  template <typename Expected>
  std::string wait_failure(Collectives& collectives) {
    try {
      collectives.wait(nullptr);
    } catch (const Expected& error) {
      return error.what();
    }
    ADD_FAILURE() << "the wait did not fail";
    return "";
  }

  std::vector<std::string> started_with;
};

TEST_F(NcclTest, StartsWithTheIdOfRankZeroAndEndsInOrder) {
  nccl.polls_in_progress = 3;
  auto collectives = make();
  EXPECT_EQ(collectives->name(), "nccl");
  EXPECT_EQ(started_with.size(), group.rank() == 0 ? 2U : 1U);  // the id is made on rank 0 alone
  EXPECT_EQ(started_with.front() == "get_unique_id", group.rank() == 0);
  EXPECT_EQ(started_with.back(),
            concat("comm_init_rank ", group.rank(), " of ", group.size(), " id uu"));
  EXPECT_LT(nccl.polls_in_progress, 0);  // polled until the start was complete

  collectives.reset();
  EXPECT_THAT(nccl.calls, ElementsAre("comm_finalize", "comm_destroy"));
}

TEST_F(NcclTest, AnIdThatFailsOnRankZeroIsAnErrorEverywhere) {
  nccl.id_result = kNcclSystemError;
  try {
    make();
    ADD_FAILURE() << "there is no id";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("ncclGetUniqueId"), HasSubstr("rank 0"),
                                    HasSubstr("host error 2")));
  }
}

TEST_F(NcclTest, CountsAreElements) {
  const auto collectives = make();
  std::vector<double> doubles(3, group.rank());
  collectives->all_reduce_sum({doubles.data(), doubles.size(), DataType::kFloat64, nullptr});
  EXPECT_THAT(doubles, testing::Each(group.size() * (group.size() - 1) / 2));
  EXPECT_THAT(nccl.calls, ElementsAre("all_reduce 3 8"));
}

TEST_F(NcclTest, TheStreamOfTheBufferIsUsed) {
  const auto collectives = make();
  std::vector<float> values(1);
  int stream = 0;
  collectives->all_reduce_sum({values.data(), 1, DataType::kFloat32, &stream});
  EXPECT_THAT(nccl.calls, ElementsAre("all_reduce 1 4 on a stream"));
}

TEST_F(NcclTest, EmptyBuffersCallNothing) {
  const auto collectives = make();
  std::vector<float> nothing;
  collectives->all_reduce_sum(to_buffer(nothing));
  EXPECT_THAT(nccl.calls, ElementsAre());
}

TEST_F(NcclTest, AnExchangeIsOneGroupWithoutEmptyBlocks) {
  const auto collectives = make();
  const int next = (group.rank() + 1) % group.size();
  const int previous = (group.rank() + group.size() - 1) % group.size();
  if (next == group.rank()) {
    collectives->exchange({}, {});
    EXPECT_THAT(nccl.calls, ElementsAre("group_start", "group_end"));
    return;
  }
  std::vector<float> out(static_cast<std::size_t>(group.rank()) + 2,
                         static_cast<float>(group.rank()));
  std::vector<float> in(static_cast<std::size_t>(previous) + 2, -1);
  std::vector<float> nothing;
  nccl.polls_in_progress = 3;
  collectives->exchange({{{next, to_buffer(out)}, {next, to_buffer(nothing)}}},
                        {{{previous, to_buffer(in)}, {previous, to_buffer(nothing)}}});
  EXPECT_THAT(nccl.calls, ElementsAre("group_start", concat("send ", out.size(), " to ", next),
                                      concat("recv ", in.size(), " from ", previous), "group_end"));
  EXPECT_THAT(in, testing::Each(static_cast<float>(previous)));
}

TEST_F(NcclTest, ExchangeWithItselfIsAnErrorBeforeAnyCall) {
  const auto collectives = make();
  std::vector<float> values(1);
  const Transfer transfer = {group.rank(), to_buffer(values)};
  EXPECT_THROW(collectives->exchange({&transfer, 1}, {}), Error);
  EXPECT_THAT(nccl.calls, ElementsAre());
}

TEST_F(NcclTest, ARefusedCallNamesCollectiveCountAndRankThenAborts) {
  auto collectives = make();
  nccl.next_result = 4;  // ncclInvalidArgument
  const std::string message = all_reduce_failure<Error>(*collectives, 12);
  EXPECT_THAT(message,
              AllOf(HasSubstr("all-reduce of 12 float32"), HasSubstr(concat("rank ", group.rank())),
                    HasSubstr("host error 4"), HasSubstr("phase 'all-reduce'")));
  EXPECT_EQ(nccl.calls.back(), "comm_abort");
  collectives.reset();
  EXPECT_EQ(nccl.calls.back(), "comm_abort");  // an aborted communicator is not destroyed
}

TEST_F(NcclTest, AnErrorThatShowsLaterBelongsToTheCollectiveBefore) {
  const auto collectives = make();
  std::vector<float> values(7);
  collectives->all_reduce_sum(to_buffer(values));
  nccl.async_state = kNcclRemoteError;
  EXPECT_THAT(all_reduce_failure<RankLostError>(*collectives, 1),
              HasSubstr("all-reduce of 7 float32"));
  EXPECT_EQ(std::count(nccl.calls.begin(), nccl.calls.end(), "all_reduce 1 4"), 0);
  EXPECT_THAT(all_reduce_failure<RankLostError>(*collectives, 1), HasSubstr("aborted"));
}

TEST_F(NcclTest, WaitReturnsWhenWhatWasQueuedIsDone) {
  const auto collectives = make();
  nccl.queues = true;
  std::vector<float> values(5, static_cast<float>(group.rank() + 1));
  collectives->all_reduce_sum(to_buffer(values));
  nccl.polls_in_progress = 3;
  collectives->wait(nullptr);
  EXPECT_THAT(values, testing::Each(static_cast<float>(group.size() * (group.size() + 1) / 2)));
}

// The other ranks join only when rank 0 has given up.
TEST_F(NcclTest, WaitEndsWithTheErrorOfTheCommunicatorWhereAPeerIsLost) {
  if (group.size() == 1) GTEST_SKIP() << "needs a peer";
  const auto collectives = make();
  nccl.queues = true;
  std::vector<float> values(6);
  if (group.rank() == 0) {
    collectives->all_reduce_sum(to_buffer(values));
    nccl.polls_in_progress = 50;
    nccl.async_state = kNcclRemoteError;
    EXPECT_THAT(wait_failure<RankLostError>(*collectives),
                AllOf(HasSubstr("all-reduce of 6 float32"), HasSubstr("rank 0"),
                      HasSubstr("phase 'waiting for the device'")));
    EXPECT_LT(nccl.polls_in_progress, 0);
    EXPECT_EQ(nccl.calls.back(), "comm_abort");
    EXPECT_THAT(wait_failure<RankLostError>(*collectives), HasSubstr("aborted"));
  }
  group.barrier("rank 0 has given up");
  if (group.rank() != 0) collectives->all_reduce_sum(to_buffer(values));
  while (nccl.api().stream_query(nullptr) == kCudaNotReady) continue;
}

TEST_F(NcclTest, ADeviceThatFailsIsNoLostRank) {
  const auto collectives = make();
  std::vector<float> values(8);
  collectives->all_reduce_sum(to_buffer(values));
  nccl.device_result = 719;  // cudaErrorLaunchFailure
  EXPECT_THAT(wait_failure<Error>(*collectives),
              AllOf(HasSubstr("device error 719"), HasSubstr("all-reduce of 8 float32"),
                    HasSubstr(concat("rank ", group.rank())), testing::Not(HasSubstr("peer"))));
  EXPECT_EQ(nccl.calls.back(), "comm_abort");
}

TEST_F(NcclTest, AnAbortThatHangsIsLeftBehind) {
  nccl.abort_time = std::chrono::seconds(20);
  const auto collectives = make(0.2);
  nccl.next_result = kNcclRemoteError;
  const auto start = std::chrono::steady_clock::now();
  all_reduce_failure<RankLostError>(*collectives, 3);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(NcclTest, AnExceptionAbortsInsteadOfWaitingForPeers) {
  try {
    const auto collectives = make();
    throw Error("something else went wrong");
  } catch (const Error&) {
  }
  EXPECT_THAT(nccl.calls, ElementsAre("comm_abort"));
}

}  // namespace
}  // namespace palimpsest
