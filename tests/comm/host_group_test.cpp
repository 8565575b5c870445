#include "palimpsest/comm/host_group.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct HostGroupTest : testing::Test {
  Watchdog watchdog{30};
  HostGroup group{watchdog};
  const int last = group.size() - 1;
};

TEST_F(HostGroupTest, RanksOfOneNodeAreNumberedOnIt) {
  EXPECT_GE(group.rank(), 0);
  EXPECT_LT(group.rank(), group.size());
  EXPECT_EQ(group.node_rank(), group.rank());  // the tests run on one node
}

TEST_F(HostGroupTest, AnyIsTrueEverywhereWhenItIsTrueOnOneRank) {
  EXPECT_TRUE(group.any(group.rank() == last, "test"));
  EXPECT_FALSE(group.any(false, "test"));
}

TEST_F(HostGroupTest, MaxIsTheLargestOfAllRanks) {
  EXPECT_EQ(group.max(-5 + group.rank(), "test"), -5 + last);
  EXPECT_EQ(group.max((std::int64_t{1} << 40) + group.rank(), "test"),
            (std::int64_t{1} << 40) + last);
}

TEST_F(HostGroupTest, SumAddsElementByElement) {
  std::vector<std::int64_t> values = {1, group.rank(), std::int64_t{1} << 40};
  group.sum(values, "test");
  const std::int64_t size = group.size();
  EXPECT_THAT(values, testing::ElementsAre(size, size * (size - 1) / 2, size << 40));
}

TEST_F(HostGroupTest, BroadcastBringsTheBytesOfAnyRoot) {
  for (int root = 0; root < group.size(); ++root) {
    std::array<std::byte, 3> bytes{};
    if (group.rank() == root) bytes = {std::byte{7}, std::byte{8}, static_cast<std::byte>(root)};
    group.broadcast(bytes, root, "test");
    EXPECT_THAT(bytes,
                testing::ElementsAre(std::byte{7}, std::byte{8}, static_cast<std::byte>(root)));
  }
}

TEST_F(HostGroupTest, BroadcastBringsNumbersAndStructsAsTheyAre) {
  struct Place {
    std::int64_t task;
    double loss;
  };
  for (int root = 0; root < group.size(); ++root) {
    const bool is_root = group.rank() == root;
    std::array<double, 2> numbers{};
    Place place{};
    if (is_root) {
      numbers = {0.1, -0.0};
      place = {7, 1.0 / 3};
    }
    group.broadcast(std::span(numbers), root, "test");
    group.broadcast(std::span(&place, 1), root, "test");
    EXPECT_EQ(numbers[0], 0.1);
    EXPECT_TRUE(std::signbit(numbers[1]));
    EXPECT_EQ(place.task, 7);
    EXPECT_EQ(place.loss, 1.0 / 3);
  }
}

TEST_F(HostGroupTest, BroadcastOfAVectorNeedsItsSizeOnRootOnly) {
  for (int root = 0; root < group.size(); ++root) {
    const bool is_root = group.rank() == root;
    std::vector<float> numbers(is_root ? 3 : 9, 0.5f);
    std::vector<std::string> texts(is_root ? 0 : 2, "another");
    if (is_root) texts = {"one", "", "three"};
    group.broadcast(numbers, root, "test");
    group.broadcast(texts, root, "test");
    EXPECT_EQ(numbers, std::vector<float>(3, 0.5f));
    EXPECT_THAT(texts, testing::ElementsAre("one", "", "three"));
    if (is_root) numbers.clear();
    group.broadcast(numbers, root, "test");
    EXPECT_TRUE(numbers.empty());
  }
}

TEST_F(HostGroupTest, BroadcastTextNeedsItsSizeOnRootOnly) {
  const std::string text("zero \0 inside", 13);
  EXPECT_EQ(group.broadcast(group.rank() == last ? text : "other", last, "test"), text);
  EXPECT_EQ(group.broadcast(group.rank() == 0 ? "" : "other", 0, "test"), "");
}

TEST_F(HostGroupTest, GatherKeepsRankOrderOnRankZero) {
  const auto texts = group.gather(std::string(static_cast<std::size_t>(group.rank()), 'x'), "test");
  if (group.rank() != 0) {
    EXPECT_TRUE(texts.empty());
    return;
  }
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(group.size()));
  for (std::size_t rank = 0; rank < texts.size(); ++rank)
    EXPECT_EQ(texts[rank], std::string(rank, 'x'));
}

TEST_F(HostGroupTest, SmallMessagesCarryLongContent) {
  HostGroup parts(watchdog, 7);
  std::vector<std::uint8_t> bytes(100);
  if (parts.rank() == 0) std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
  parts.broadcast(std::as_writable_bytes(std::span(bytes)), 0, "test");
  for (std::size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], i + 1);

  std::vector<std::int64_t> values(15, parts.rank());
  parts.sum(values, "test");
  EXPECT_THAT(values, testing::Each(parts.size() * (parts.size() - 1) / 2));

  const auto texts = parts.gather("rank " + std::to_string(parts.rank()) + " of the world", "test");
  if (parts.rank() == 0) {
    EXPECT_EQ(texts.back(), "rank " + std::to_string(last) + " of the world");
  }
}

TEST_F(HostGroupTest, AgreeIsSilentWhereAllRanksAgree) {
  group.agree("same", "the weights", "test");
  group.agree("", "the weights", "test");
}

TEST_F(HostGroupTest, AgreeNamesTheRanksThatDiffer) {
  if (group.size() == 1) GTEST_SKIP() << "one rank always agrees with itself";
  try {
    group.agree(group.rank() == last ? "bbb" : "aaa", "the hash of the weights", "test");
    ADD_FAILURE() << "the ranks differ, and agree() did not say so";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kFailed);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("the hash of the weights"), HasSubstr("'aaa' on rank 0"),
                      HasSubstr("'bbb' on rank " + std::to_string(last))));
  }
  group.barrier("still in step");
}

TEST_F(HostGroupTest, AWrongRootIsAnErrorThatNamesCallRankAndPhase) {
  std::array<std::byte, 1> bytes{};
  try {
    group.broadcast(bytes, group.size(), "weights to all");
    ADD_FAILURE() << "there is no such root";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kFailed);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("MPI_Bcast"), HasSubstr("rank " + std::to_string(group.rank())),
                      HasSubstr("phase 'weights to all'")));
  }
}

TEST_F(HostGroupTest, WorkReturnsWhatThePartDoesWhenAllPartsAreDone) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(group.work("test", [&] { return group.rank() + round; }), group.rank() + round);
    group.work("test", [&] {
      if (group.rank() == round % group.size()) progress_made();
    });
    EXPECT_EQ(group.max(round, "test"), round);  // no round is left over
  }
}

TEST_F(HostGroupTest, APartLongerThanTheDeadlineIsWaitedForWhileItMakesProgress) {
  watchdog.set_deadline(2);
  group.work("test", [&] {
    for (int i = 0; i < 50 && group.rank() == last; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      progress_made();
    }
  });
}

TEST_F(HostGroupTest, ProgressOutsideOfWorkIsNobodysConcern) {
  progress_made();
  int heard = 0;
  {
    const ProgressListener outer([&] { heard += 10; });
    progress_made();
    const ProgressListener inner([&] { ++heard; });
    progress_made();
    std::thread(progress_made).join();  // of this thread alone
  }
  progress_made();
  EXPECT_EQ(heard, 11);
}

}  // namespace
}  // namespace palimpsest
