#include "judge.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;
using testing::Not;

// Two ranks on each of two hosts, four cores each; nothing is wrong.
Facts four_ranks() {
  Facts ranks;
  for (int rank = 0; rank < 4; ++rank) {
    const std::string host = rank < 2 ? "a" : "b";
    ranks.push_back({{"host", host},
                     {"node", host + " 1234"},
                     {"job_tasks", ""},
                     {"mpi", "Open MPI v4.1.4, standard 3.1"},
                     {"versions",
                      {{"palimpsest", "0.2.0"},
                       {"processor", "EPYC"},
                       {"HDF5", "1.10.8"},
                       {"executable", "0123456789abcdef"}}},
                     {"cores", {0, 1, 2, 3}},
                     {"omp_threads", 1},
                     {"locked_memory", 1e30},
                     {"core_file", 0},
                     {"infiniband", ""},
                     {"shared_memory", std::int64_t{8} << 30},
                     {"variables", {{"OMP_NUM_THREADS", "1"}}}});
  }
  return ranks;
}

TEST(ChecksTest, EveryRowSaysWhatItMeasuresExpectsAndAdvises) {
  std::set<std::string_view> names;
  for (const Check& check : checks()) {
    EXPECT_TRUE(names.insert(check.name).second) << check.name;
    for (const std::string_view text : {check.measures, check.expects, check.advice})
      EXPECT_FALSE(text.empty()) << check.name;
    EXPECT_NE(check.judge, nullptr) << check.name;
  }
}

TEST(FindingTest, ALineSaysVerdictCheckFindingAndAdvice) {
  EXPECT_EQ(finding_line({"threads", Verdict::kWarning, "8 threads on 2 cores", "Start fewer"}),
            "warn  threads         8 threads on 2 cores. Start fewer");
  EXPECT_EQ(finding_line({"a check with a name that is long", Verdict::kOk, "fine", ""}),
            "ok    a check with a name that is long fine");
  Diagnosis diagnosis;
  diagnosis.findings = {{"x", Verdict::kWarning, "", ""}};
  EXPECT_FALSE(diagnosis.failed());
  diagnosis.findings.push_back({"y", Verdict::kFailure, "", ""});
  EXPECT_TRUE(diagnosis.failed());
}

TEST(RankFactsTest, RanksAreListedInRuns) {
  const std::vector<std::size_t> some = {0, 1, 2, 5, 7, 8}, one = {3};
  EXPECT_EQ(rank_list(some), "ranks 0-2, 5, 7-8");
  EXPECT_EQ(rank_list(one), "rank 3");
}

TEST(RankFactsTest, TheRankThatDiffersIsNamedLast) {
  const RankFacts ranks(four_ranks());
  const std::vector<std::string> alike(4, "x"), differing = {"y", "x", "x", "x"};
  EXPECT_EQ(ranks.differences(alike), "");
  EXPECT_EQ(ranks.differences(differing), "'x' on ranks 1-3; 'y' on rank 0 (host a)");
}

TEST(JobTest, AnotherMpiFails) {
  Facts ranks = four_ranks();
  expect(judge("MPI", ranks), Verdict::kOk, "Open MPI v4.1.4, standard 3.1");
  ranks[3]["mpi"] = "MPICH 4.0";
  expect(judge("MPI", ranks), Verdict::kFailure, "'MPICH 4.0' on rank 3 (host b)");
}

TEST(JobTest, RanksAreShownByNode) {
  Facts ranks = four_ranks();
  expect(judge("ranks", ranks), Verdict::kOk, "4 ranks on 2 nodes: a (ranks 0-1), b (ranks 2-3)");
  for (auto& facts : ranks) facts["host"] = "localhost";  // two nodes of one name
  expect(judge("ranks", ranks), Verdict::kOk, "2 nodes");
}

TEST(JobTest, OneRankInAJobOfManyIsAWarning) {
  Facts ranks = four_ranks();
  ranks.resize(1);
  expect(judge("ranks", ranks), Verdict::kOk);
  ranks[0]["job_tasks"] = "8";
  expect(judge("ranks", ranks), Verdict::kWarning, "in a job of 8 tasks");
  ranks[0]["job_tasks"] = "1";
  expect(judge("ranks", ranks), Verdict::kOk);
}

TEST(JobTest, VersionsAreShownOnceWhereAllAreAlike) {
  const Judgement judgement = judge("versions", four_ranks());
  expect(judgement, Verdict::kOk, "HDF5 1.10.8");
  EXPECT_THAT(judgement.found, HasSubstr("0123456789ab"));
  EXPECT_THAT(judgement.found, Not(HasSubstr("abcdef")));
}

TEST(JobTest, AnotherExecutableFailsAndIsNamed) {
  Facts ranks = four_ranks();
  ranks[3]["versions"]["executable"] = "fedcba";
  expect(judge("versions", ranks), Verdict::kFailure,
         "executable differs: '0123456789abcdef' on ranks 0-2; 'fedcba' on rank 3 (host b)");
}

TEST(JobTest, ARankOfAnotherBuildIsReadAllTheSame) {
  Facts ranks = four_ranks();
  ranks[1] = {{"host", "b"}, {"of-a-later-build", 1}};
  expect(judge("versions", ranks), Verdict::kFailure, "'unknown' on rank 1 (host b)");
}

TEST(JobTest, AnotherProcessorFailsAsARunWould) {
  Facts ranks = four_ranks();
  ranks[2]["versions"]["processor"] = "Xeon";
  expect(judge("versions", ranks), Verdict::kFailure);
  expect(judge("versions", ranks, {.allow_numerics_change = true, .out = ""}), Verdict::kWarning);
}

TEST(JobTest, AnotherHdf5IsAWarningUnlessSomethingFails) {
  Facts ranks = four_ranks();
  ranks[1]["versions"]["HDF5"] = "1.14.0";
  expect(judge("versions", ranks), Verdict::kWarning, "HDF5 differs");
  ranks[1]["versions"]["palimpsest"] = "0.3.0";
  const Judgement judgement = judge("versions", ranks);
  expect(judgement, Verdict::kFailure, "HDF5 differs");
  EXPECT_THAT(judgement.found, HasSubstr("palimpsest differs"));
}

TEST(JobTest, ThreadsFitTheCoresOfTheirNode) {
  Facts ranks = four_ranks();
  const Judgement fits = judge("threads", ranks, {.threads = 2, .out = ""});
  expect(fits, Verdict::kOk, "2 ranks of 2 threads on 4 cores");
  EXPECT_THAT(fits.found, HasSubstr("OMP_NUM_THREADS=1"));
  expect(judge("threads", ranks, {.threads = 3, .out = ""}), Verdict::kWarning,
         "2 ranks of 3 threads on 4 cores of host a");
  ranks[2]["cores"] = {1};
  expect(judge("threads", ranks, {.threads = 2, .out = ""}), Verdict::kWarning,
         "rank 2 (host b) is bound to 1 core for 2 threads");
  for (auto& facts : ranks) facts["cores"] = {0};  // both ranks of a node
  expect(judge("threads", ranks), Verdict::kWarning, "2 ranks of 1 thread on 1 core of host a");
}

TEST(JobTest, TooManyOmpThreadsAreAWarning) {
  Facts ranks = four_ranks();
  for (auto& facts : ranks) facts["omp_threads"] = 4;
  expect(judge("threads", ranks), Verdict::kWarning, "OMP_NUM_THREADS allows 8 threads");
  for (auto& facts : ranks) facts["omp_threads"] = 0;
  expect(judge("threads", ranks), Verdict::kOk, "OMP_NUM_THREADS not set");
}

TEST(JobTest, LittleLockedMemoryMattersWithInfiniBandAlone) {
  Facts ranks = four_ranks();
  ranks[2]["locked_memory"] = 65536;
  expect(judge("limits", ranks), Verdict::kOk, "enough without InfiniBand");
  ranks[2]["infiniband"] = "mlx5_0";
  const Judgement judgement = judge("limits", ranks);
  expect(judgement, Verdict::kWarning, "64.0 KiB on rank 2 (host b)");
  EXPECT_THAT(judgement.found, HasSubstr("mlx5_0"));
  ranks[2]["locked_memory"] = 1e30;
  expect(judge("limits", ranks), Verdict::kOk, "unlimited");
}

TEST(JobTest, LittleSharedMemoryIsAWarningWhereRanksShareANode) {
  Facts ranks = four_ranks();
  for (const int rank : {2, 3}) ranks[rank]["shared_memory"] = std::int64_t{63} << 20;
  expect(judge("shared memory", ranks), Verdict::kWarning, "2 ranks of host b");
  for (const int rank : {2, 3}) ranks[rank]["shared_memory"] = std::int64_t{64} << 20;
  expect(judge("shared memory", ranks), Verdict::kOk);
  ranks.resize(1);
  ranks[0]["shared_memory"] = 0;
  expect(judge("shared memory", ranks), Verdict::kOk);
}

TEST(JobTest, AVariableThatOneRankLacksIsNamed) {
  Facts ranks = four_ranks();
  for (auto& facts : ranks) facts["variables"]["NCCL_SOCKET_IFNAME"] = "eth0";
  expect(judge("variables", ranks), Verdict::kOk, "NCCL_SOCKET_IFNAME=eth0");
  ranks[1]["variables"].erase("NCCL_SOCKET_IFNAME");
  expect(judge("variables", ranks), Verdict::kWarning,
         "NCCL_SOCKET_IFNAME differs: 'eth0' on ranks 0, 2-3; 'not set' on rank 1 (host a)");
}

TEST(JobTest, VariablesThatAreEachRanksOwnMayDiffer) {
  Facts ranks = four_ranks();
  for (std::size_t rank = 0; rank < 4; ++rank)
    ranks[rank]["variables"]["CUDA_VISIBLE_DEVICES"] = std::to_string(rank);
  expect(judge("variables", ranks), Verdict::kOk, "(one for each rank)");
}

TEST(JobTest, WhatTurnsAPathOffIsAWarning) {
  Facts ranks = four_ranks();
  for (auto& facts : ranks) facts["variables"]["NCCL_P2P_DISABLE"] = "1";
  expect(judge("variables", ranks), Verdict::kWarning, "NCCL_P2P_DISABLE=1");
  for (auto& facts : ranks) facts["variables"]["NCCL_P2P_DISABLE"] = "0";
  expect(judge("variables", ranks), Verdict::kOk);
}

}  // namespace
}  // namespace palimpsest
