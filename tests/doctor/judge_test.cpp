#include "palimpsest/doctor/judge.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "fake_facts.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Two ranks on each of two hosts, four cores each; nothing is wrong.
std::vector<RankFacts> four_ranks() {
  std::vector<RankFacts> ranks(4);
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    RankFacts& facts = ranks[rank];
    facts.host = rank < 2 ? "a" : "b";
    facts.node = facts.host + " 1234";
    facts.node_rank = static_cast<int>(rank % 2);
    facts.mpi_standard = "3.1";
    facts.mpi_thread_level = "multiple";
    facts.versions = {{"palimpsest", "0.1.0"},
                      {"processor", "EPYC"},
                      {"MPI", "Open MPI v4.1.4"},
                      {"HDF5", "1.10.8"},
                      {"executable", "0123456789abcdef"}};
    facts.cores = {0, 1, 2, 3};
    facts.locked_memory = kUnlimited;
    facts.shared_memory = std::int64_t{8} << 30;
    facts.environment = {{"OMP_NUM_THREADS", "1"}};
  }
  return ranks;
}

// The same with a device for each rank.
std::vector<RankFacts> with_devices() {
  std::vector<RankFacts> ranks = four_ranks();
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const int first = rank < 2 ? 0 : 2;
    ranks[rank].device = fake_device_facts(first, static_cast<int>(rank % 2));
  }
  return ranks;
}

std::string& version(RankFacts& facts, const std::string& name) {
  return std::ranges::find(facts.versions, name, &std::pair<std::string, std::string>::first)
      ->second;
}

void expect(const Finding& finding, Verdict verdict, const std::string& check) {
  EXPECT_EQ(finding.verdict, verdict) << line_of(finding);
  EXPECT_EQ(finding.check, check);
  const bool needs_advice = verdict == Verdict::kWarning || verdict == Verdict::kFailure;
  EXPECT_EQ(finding.advice.empty(), !needs_advice) << line_of(finding);
}

TEST(FindingTest, ALineSaysVerdictCheckFindingAndAdvice) {
  EXPECT_EQ(line_of({Verdict::kWarning, "threads", "8 threads on 2 cores", "Start fewer"}),
            "warn  threads         8 threads on 2 cores. Start fewer");
  EXPECT_EQ(line_of({Verdict::kOk, "a check with a name that is long", "fine", ""}),
            "ok    a check with a name that is long fine");
  const std::vector<Finding> warned = {{Verdict::kWarning, "x", "", ""}};
  const std::vector<Finding> failed = {{Verdict::kOk, "x", "", ""},
                                       {Verdict::kFailure, "y", "", ""}};
  EXPECT_FALSE(any_failed(warned));
  EXPECT_TRUE(any_failed(failed));
}

TEST(FactsTest, SurviveTheWayToRankZero) {
  RankFacts facts = with_devices()[1];
  facts.device.apart = {{0, 1}};
  facts.infiniband = {"mlx5_0"};
  const RankFacts back = facts_from_json(facts_to_json(facts));
  EXPECT_EQ(back.versions, facts.versions);
  EXPECT_EQ(back.environment, facts.environment);
  EXPECT_EQ(back.device.apart, facts.device.apart);
  EXPECT_EQ(back.device.visible.at(1).uuid, "GPU-1");
  EXPECT_EQ(facts_to_json(back), facts_to_json(facts));
}

TEST(FactsTest, ARankOfAnotherBuildIsReadAllTheSame) {
  EXPECT_EQ(facts_from_json(R"({"host": "b", "of-a-later-build": 1})").host, "b");
  auto ranks = four_ranks();
  ranks[1] = facts_from_json(R"({"host": "b"})");
  EXPECT_THAT(judge_versions(ranks, {}).found, HasSubstr("'unknown' on rank 1 (host b)"));
}

TEST(FactsTest, AVariableThatIsNotUtf8IsNoObstacle) {
  RankFacts facts;
  facts.environment["NCCL_DEBUG_FILE"] = "caf\xe9";
  EXPECT_THAT(facts_from_json(facts_to_json(facts)).environment["NCCL_DEBUG_FILE"],
              testing::StartsWith("caf"));
}

TEST(FactsTest, LaunchersOwnVariablesAreNotAskedFor) {
  EXPECT_TRUE(steers_a_run("NCCL_DEBUG"));
  EXPECT_TRUE(steers_a_run("OMPI_MCA_btl"));
  EXPECT_TRUE(steers_a_run("CUDA_VISIBLE_DEVICES"));
  EXPECT_FALSE(steers_a_run("OMPI_MCA_orte_ess_num_procs"));
  EXPECT_FALSE(steers_a_run("PATH"));
}

TEST(JudgeRanksTest, RanksAreListedInRuns) {
  const std::vector<std::size_t> some = {0, 1, 2, 5, 7, 8}, one = {3};
  EXPECT_EQ(rank_list(some), "ranks 0-2, 5, 7-8");
  EXPECT_EQ(rank_list(one), "rank 3");
}

TEST(JudgeRanksTest, TheRankThatDiffersIsNamedLast) {
  const auto ranks = four_ranks();
  const std::vector<std::string> alike(4, "x"), differing = {"y", "x", "x", "x"};
  EXPECT_EQ(differences(ranks, alike), "");
  EXPECT_EQ(differences(ranks, differing), "'x' on ranks 1-3; 'y' on rank 0 (host a)");
}

TEST(JudgeRanksTest, RanksAreShownByNode) {
  const Finding finding = judge_ranks(four_ranks());
  expect(finding, Verdict::kOk, "ranks");
  EXPECT_THAT(finding.found, HasSubstr("4 ranks on 2 nodes: a (ranks 0-1), b (ranks 2-3)"));
}

TEST(JudgeRanksTest, HostsOfOneNameAreTwoNodes) {
  auto ranks = four_ranks();
  for (RankFacts& facts : ranks) facts.host = "localhost";
  EXPECT_THAT(judge_ranks(ranks).found, HasSubstr("2 nodes"));
}

TEST(JudgeRanksTest, OneRankInAJobOfManyIsAWarning) {
  auto ranks = four_ranks();
  ranks.resize(1);
  expect(judge_ranks(ranks), Verdict::kOk, "ranks");
  ranks[0].environment["SLURM_NTASKS"] = "8";
  expect(judge_ranks(ranks), Verdict::kWarning, "ranks");
  ranks[0].environment["SLURM_NTASKS"] = "1";
  expect(judge_ranks(ranks), Verdict::kOk, "ranks");
}

TEST(JudgeRanksTest, VersionsAreShownOnceWhereAllAreAlike) {
  const Finding finding = judge_versions(four_ranks(), {});
  expect(finding, Verdict::kOk, "versions");
  EXPECT_THAT(finding.found, AllOf(HasSubstr("Open MPI v4.1.4"), HasSubstr("HDF5 1.10.8"),
                                   HasSubstr("0123456789ab"), Not(HasSubstr("cdef"))));
}

TEST(JudgeRanksTest, AnotherExecutableFailsAndIsNamed) {
  auto ranks = four_ranks();
  version(ranks[3], "executable") = "fedcba";
  const Finding finding = judge_versions(ranks, {});
  expect(finding, Verdict::kFailure, "versions");
  EXPECT_THAT(finding.found, HasSubstr("executable differs: '0123456789abcdef' on ranks 0-2; "
                                       "'fedcba' on rank 3 (host b)"));
}

TEST(JudgeRanksTest, AnotherProcessorFailsAsARunWould) {
  auto ranks = four_ranks();
  version(ranks[2], "processor") = "Xeon";
  expect(judge_versions(ranks, {}), Verdict::kFailure, "versions");
  expect(judge_versions(ranks, {.allow_numerics_change = true, .out = ""}), Verdict::kWarning,
         "versions");
}

TEST(JudgeRanksTest, AnotherHdf5IsAWarningUnlessSomethingFails) {
  auto ranks = four_ranks();
  version(ranks[1], "HDF5") = "1.14.0";
  expect(judge_versions(ranks, {}), Verdict::kWarning, "versions");
  version(ranks[1], "MPI") = "MPICH 4.0";
  const Finding finding = judge_versions(ranks, {});
  expect(finding, Verdict::kFailure, "versions");
  EXPECT_THAT(finding.found, AllOf(HasSubstr("HDF5 differs"), HasSubstr("MPI differs")));
}

TEST(JudgeRanksTest, ThreadsFitTheCoresOfTheirNode) {
  const Finding fits = judge_threads(four_ranks(), {.threads = 2, .out = ""});
  expect(fits, Verdict::kOk, "threads");
  EXPECT_THAT(fits.found,
              AllOf(HasSubstr("2 ranks of 2 threads on 4 cores"), HasSubstr("OMP_NUM_THREADS=1")));
  const Finding crowded = judge_threads(four_ranks(), {.threads = 3, .out = ""});
  expect(crowded, Verdict::kWarning, "threads");
  EXPECT_THAT(crowded.found, HasSubstr("2 ranks of 3 threads on 4 cores of host a"));
}

TEST(JudgeRanksTest, ARankThatIsBoundToTooFewCoresIsNamed) {
  auto ranks = four_ranks();
  ranks[2].cores = {1};
  const Finding finding = judge_threads(ranks, {.threads = 2, .out = ""});
  expect(finding, Verdict::kWarning, "threads");
  EXPECT_THAT(finding.found, HasSubstr("rank 2 (host b) is bound to 1 core for 2 threads"));
}

TEST(JudgeRanksTest, RanksBoundToTheSameCoreAreCrowded) {
  auto ranks = four_ranks();
  for (RankFacts& facts : ranks) facts.cores = {0};
  expect(judge_threads(ranks, {}), Verdict::kWarning, "threads");
}

TEST(JudgeRanksTest, TooManyOmpThreadsAreAWarning) {
  auto ranks = four_ranks();
  for (RankFacts& facts : ranks) facts.environment["OMP_NUM_THREADS"] = "4";
  const Finding finding = judge_threads(ranks, {});
  expect(finding, Verdict::kWarning, "threads");
  EXPECT_THAT(finding.found, HasSubstr("OMP_NUM_THREADS allows 8 threads"));
  for (RankFacts& facts : ranks) facts.environment.clear();
  EXPECT_THAT(judge_threads(ranks, {}).found, HasSubstr("OMP_NUM_THREADS not set"));
}

TEST(JudgeMachineTest, LittleLockedMemoryMattersWithInfiniBandAlone) {
  auto ranks = four_ranks();
  ranks[2].locked_memory = 65536;
  expect(judge_limits(ranks), Verdict::kOk, "limits");
  ranks[2].infiniband = {"mlx5_0"};
  const Finding finding = judge_limits(ranks);
  expect(finding, Verdict::kWarning, "limits");
  EXPECT_THAT(finding.found,
              AllOf(HasSubstr("64.0 KiB"), HasSubstr("rank 2 (host b)"), HasSubstr("mlx5_0")));
  ranks[2].locked_memory = kUnlimited;
  expect(judge_limits(ranks), Verdict::kOk, "limits");
}

TEST(JudgeMachineTest, LittleSharedMemoryIsAWarningWhereRanksShareANode) {
  auto ranks = four_ranks();
  ranks[3].shared_memory = std::int64_t{63} << 20;
  const Finding finding = judge_shared_memory(ranks);
  expect(finding, Verdict::kWarning, "shared memory");
  EXPECT_THAT(finding.found, HasSubstr("2 ranks on rank 3 (host b)"));
  ranks[3].shared_memory = std::int64_t{64} << 20;
  expect(judge_shared_memory(ranks), Verdict::kOk, "shared memory");
  ranks.resize(1);
  ranks[0].shared_memory = 0;
  expect(judge_shared_memory(ranks), Verdict::kOk, "shared memory");
}

TEST(JudgeMachineTest, AVariableThatOneRankLacksIsNamed) {
  auto ranks = four_ranks();
  for (RankFacts& facts : ranks) facts.environment["NCCL_SOCKET_IFNAME"] = "eth0";
  const Finding alike = judge_variables(ranks);
  expect(alike, Verdict::kOk, "variables");
  EXPECT_THAT(alike.found, HasSubstr("NCCL_SOCKET_IFNAME=eth0"));
  ranks[1].environment.erase("NCCL_SOCKET_IFNAME");
  const Finding finding = judge_variables(ranks);
  expect(finding, Verdict::kWarning, "variables");
  EXPECT_THAT(finding.found, HasSubstr("NCCL_SOCKET_IFNAME differs: 'eth0' on ranks 0, 2-3; 'not "
                                       "set' on rank 1 (host a)"));
}

TEST(JudgeMachineTest, VariablesThatAreEachRanksOwnMayDiffer) {
  auto ranks = four_ranks();
  for (std::size_t rank = 0; rank < 4; ++rank) {
    ranks[rank].environment["CUDA_VISIBLE_DEVICES"] = std::to_string(rank);
  }
  expect(judge_variables(ranks), Verdict::kOk, "variables");
}

TEST(JudgeMachineTest, WhatTurnsAPathOffIsAWarning) {
  auto ranks = four_ranks();
  for (RankFacts& facts : ranks) facts.environment["NCCL_P2P_DISABLE"] = "1";
  const Finding finding = judge_variables(ranks);
  expect(finding, Verdict::kWarning, "variables");
  EXPECT_THAT(finding.found, HasSubstr("NCCL_P2P_DISABLE=1"));
  for (RankFacts& facts : ranks) facts.environment["NCCL_P2P_DISABLE"] = "0";
  expect(judge_variables(ranks), Verdict::kOk, "variables");
}

}  // namespace
}  // namespace palimpsest
