#include <gmock/gmock.h>

#include "palimpsest/doctor/judge.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<RankFacts> two_hosts() {
  std::vector<RankFacts> ranks(2);
  ranks[0].host = "a";
  ranks[1].host = "b";
  return ranks;
}

TEST(ClockTest, TheShortestTripBoundsTheOffset) {
  const std::vector<RoundTrip> trips = {{.sent = 10, .answered = 15.5, .received = 12},
                                        {.sent = 20, .answered = 25.05, .received = 20.1},
                                        {.sent = 30, .answered = 35.4, .received = 31}};
  const ClockOffset offset = offset_from(trips);
  EXPECT_NEAR(offset.offset, 5, 1e-9);
  EXPECT_NEAR(offset.uncertainty, 0.05, 1e-9);
}

TEST(ClockTest, AClockThatIsOffByMoreThanItsUncertaintyIsNamed) {
  const std::vector<ClockOffset> close = {{}, {.offset = -0.2, .uncertainty = 0.001}};
  EXPECT_EQ(judge_clocks(two_hosts(), close).verdict, Verdict::kOk);
  const std::vector<ClockOffset> unknown = {{}, {.offset = 0.5, .uncertainty = 0.4}};
  EXPECT_EQ(judge_clocks(two_hosts(), unknown).verdict, Verdict::kOk);
  const std::vector<ClockOffset> off = {{}, {.offset = -3, .uncertainty = 0.001}};
  const Finding finding = judge_clocks(two_hosts(), off);
  EXPECT_EQ(finding.verdict, Verdict::kWarning);
  EXPECT_THAT(finding.found, AllOf(HasSubstr("3.00 s behind"), HasSubstr("rank 1 (host b)")));
}

TEST(AllReduceTest, BandwidthsAreThoseOfNcclTests) {
  EXPECT_DOUBLE_EQ(algorithm_bandwidth(1e9, 0.5), 2e9);
  EXPECT_DOUBLE_EQ(bus_bandwidth(1e9, 0.5, 1), 0);
  EXPECT_DOUBLE_EQ(bus_bandwidth(1e9, 0.5, 2), 2e9);
  EXPECT_DOUBLE_EQ(bus_bandwidth(1e9, 0.5, 4), 3e9);
}

TEST(AllReduceTest, ItsLineHasTimesAndBothBandwidthsOfTheLargest) {
  const AllReduceReport report{.timings = {{4096, 20e-6}, {64 << 20, 0.0671088640}},
                               .wrong_by_rank = {0, 0}};
  const Finding finding = judge_all_reduce(two_hosts(), "mpi", report);
  EXPECT_EQ(finding.verdict, Verdict::kOk);
  EXPECT_EQ(finding.check, "all-reduce mpi");
  EXPECT_THAT(finding.found,
              AllOf(HasSubstr("4 KiB 20 us"), HasSubstr("64 MiB 67.1 ms"),
                    HasSubstr("algorithm bandwidth 1.00 GB/s"), HasSubstr("bus bandwidth 1.00")));
}

TEST(AllReduceTest, WrongSumsFailAndTheirRankIsNamed) {
  const AllReduceReport report{.timings = {{4096, 20e-6}}, .wrong_by_rank = {0, 3}};
  const Finding finding = judge_all_reduce(two_hosts(), "nccl", report);
  EXPECT_EQ(finding.verdict, Verdict::kFailure);
  EXPECT_THAT(finding.found, HasSubstr("3 on rank 1 (host b)"));
}

struct JudgeFolderTest : testing::Test {
  DoctorRequest request{.out = "runs/x"};
  FolderReport report{.problem = "",
                      .file_system = "nfs",
                      .commit_seconds = 0.0123,
                      .free_bytes = std::int64_t{20} << 30};
  std::vector<FolderView> views = std::vector<FolderView>(2);

  Finding folder() const { return judge_folder(two_hosts(), request, report, views)[0]; }
  Finding space() const { return judge_folder(two_hosts(), request, report, views)[1]; }
};

TEST_F(JudgeFolderTest, SaysWhereHowLongAndHowMuchSpace) {
  EXPECT_EQ(folder().verdict, Verdict::kOk);
  EXPECT_THAT(folder().found, AllOf(HasSubstr("runs/x (nfs)"), HasSubstr("12.3 ms")));
  EXPECT_EQ(space().verdict, Verdict::kOk);
  EXPECT_THAT(space().found, HasSubstr("20.0 GiB"));
}

TEST_F(JudgeFolderTest, AFolderThatCannotBeWrittenFails) {
  report.problem = "cannot create runs/x/y: Read-only file system";
  EXPECT_EQ(folder().verdict, Verdict::kFailure);
  EXPECT_THAT(folder().found, HasSubstr("Read-only"));
  EXPECT_EQ(space().verdict, Verdict::kSkipped);
}

TEST_F(JudgeFolderTest, ARankThatSeesAnotherFolderIsNamed) {
  views[1].problem = "cannot be read: No such file";
  EXPECT_EQ(folder().verdict, Verdict::kFailure);
  EXPECT_THAT(folder().found, AllOf(HasSubstr("rank 1 (host b)"), HasSubstr("No such file")));
}

TEST_F(JudgeFolderTest, LocksThatOthersDoNotSeeAreAWarning) {
  views[1].sees_lock = false;
  EXPECT_EQ(folder().verdict, Verdict::kWarning);
  EXPECT_THAT(folder().found, HasSubstr("rank 1"));
}

TEST_F(JudgeFolderTest, AFileThatShowsLateIsSaid) {
  views[1].delay = 2.5;
  EXPECT_EQ(folder().verdict, Verdict::kOk);
  EXPECT_THAT(folder().found, HasSubstr("after up to 2.50 s"));
}

TEST_F(JudgeFolderTest, LittleSpaceIsAWarning) {
  report.free_bytes = std::int64_t{100} << 20;
  EXPECT_EQ(space().verdict, Verdict::kWarning);
}

}  // namespace
}  // namespace palimpsest
