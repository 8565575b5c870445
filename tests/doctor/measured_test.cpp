// Clocks, all-reduces and the run folder, as ranks have measured them.
#include "judge.h"

namespace palimpsest {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Rank 1's clock is `offset` before that of rank 0, and the best round takes `length` seconds.
Facts clocks(double offset, double length) {
  const auto round = [&](double begin, double takes) {
    return std::pair{json{begin, begin, begin + takes}, json{0, begin + takes / 2 + offset, 0}};
  };
  const auto slow = round(10, 3 * length), best = round(20, length), late = round(30, 2 * length);
  return {{{"host", "a"}, {"clocks", {slow.first, best.first, late.first}}},
          {{"host", "b"}, {"clocks", {json{0, 99, 0}, best.second, json{0, 77, 0}}}}};
}

TEST(ClockTest, TheShortestRoundCounts) {
  expect(judge("clocks", clocks(0.1, 0.02)), Verdict::kOk,
         "at most 110 ms off that of rank 0, on rank 1 (host b)");
}

TEST(ClockTest, AClockThatIsOffByMoreThanItsUncertaintyIsNamed) {
  expect(judge("clocks", clocks(-0.2, 0.002)), Verdict::kOk);
  expect(judge("clocks", clocks(0.5, 0.8)), Verdict::kOk);
  expect(judge("clocks", clocks(-3, 0.004)), Verdict::kWarning,
         "3.00 s behind that of rank 0 (+-2.0 ms) on rank 1 (host b)");
  Facts alone = clocks(0, 1);
  alone.resize(1);
  expect(judge("clocks", alone), Verdict::kSkipped);
}

TEST(AllReduceTest, ItsLineHasTimesAndBothBandwidthsOfTheLargest) {
  const json small = {{"bytes", 4096}, {"seconds", 20e-6}};
  const json large = {{"bytes", 64 << 20},
                      {"seconds", 0.067108864},
                      {"algorithm_bandwidth", 1e9},
                      {"bus_bandwidth", 1.5e9}};
  const Judgement judgement =
      judge("all-reduce mpi", {{{"host", "a"}, {"all-reduce mpi", {small, large}}}});
  expect(judgement, Verdict::kOk, "4 KiB 20 us, 64 MiB 67.1 ms: algorithm bandwidth 1.00 GB/s");
  EXPECT_THAT(judgement.found, HasSubstr("bus bandwidth 1.50"));
}

TEST(AllReduceTest, WrongSumsFailAndTheirRankIsNamed) {
  const json timing = {{"bytes", 4096}, {"seconds", 20e-6}};
  const Facts ranks = {
      {{"host", "a"}, {"all-reduce nccl", {timing}}, {"all-reduce nccl wrong", 0}},
      {{"host", "b"}, {"all-reduce nccl", {timing}}, {"all-reduce nccl wrong", 3}}};
  expect(judge("all-reduce nccl", ranks), Verdict::kFailure, "3 on rank 1 (host b)");
}

struct FolderTest : testing::Test {
  DoctorRequest request{.out = "runs/x"};
  Facts ranks = {{{"host", "a"},
                  {"file_system", "nfs"},
                  {"commit_seconds", 0.0123},
                  {"free_bytes", std::int64_t{20} << 30},
                  {"folder_problem", ""},
                  {"folder_delay", 0},
                  {"sees_lock", true}},
                 {{"host", "b"}, {"folder_problem", ""}, {"folder_delay", 0}, {"sees_lock", true}}};

  Judgement folder() const { return judge("run folder", ranks, request); }
  Judgement space() const { return judge("disk space", ranks, request); }
};

TEST_F(FolderTest, SaysWhereHowLongAndHowMuchSpace) {
  expect(folder(), Verdict::kOk, "runs/x (nfs): written, synced and renamed in 12.3 ms");
  expect(space(), Verdict::kOk, "20.0 GiB free in runs/x");
}

TEST_F(FolderTest, AFolderThatCannotBeWrittenFails) {
  ranks[0] = {{"host", "a"}, {"write_problem", "cannot create runs/x/y: Read-only file system"}};
  expect(folder(), Verdict::kFailure, "Read-only");
  expect(space(), Verdict::kSkipped);
}

TEST_F(FolderTest, ARankThatSeesAnotherFolderIsNamed) {
  ranks[1]["folder_problem"] = "cannot be read: No such file";
  expect(folder(), Verdict::kFailure, "rank 1 (host b): cannot be read: No such file");
}

TEST_F(FolderTest, LocksThatOthersDoNotSeeAreAWarning) {
  ranks[1]["sees_lock"] = false;
  expect(folder(), Verdict::kWarning, "not seen on rank 1");
}

TEST_F(FolderTest, AFileThatShowsLateIsSaid) {
  ranks[1]["folder_delay"] = 2.5;
  expect(folder(), Verdict::kOk, "after up to 2.50 s");
}

TEST_F(FolderTest, LittleSpaceIsAWarning) {
  ranks[0]["free_bytes"] = std::int64_t{100} << 20;
  expect(space(), Verdict::kWarning);
}

}  // namespace
}  // namespace palimpsest
