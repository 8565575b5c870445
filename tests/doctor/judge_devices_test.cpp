#include <gmock/gmock.h>

#include "fake_facts.h"
#include "palimpsest/doctor/judge.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const DoctorRequest kAuto{.device = "auto", .out = ""};
const DoctorRequest kCuda{.device = "cuda", .out = ""};

std::vector<RankFacts> without_devices() {
  std::vector<RankFacts> ranks(2);
  for (std::size_t rank = 0; rank < 2; ++rank) {
    ranks[rank].host = rank == 0 ? "a" : "b";
    ranks[rank].device.obstacle = "no NVIDIA driver";
  }
  return ranks;
}

// Each on its own host, with two devices of which it takes the first.
std::vector<RankFacts> hosts_with_devices() {
  std::vector<RankFacts> ranks = without_devices();
  for (std::size_t rank = 0; rank < 2; ++rank) {
    const int first = static_cast<int>(2 * rank);
    ranks[rank].device = fake_device_facts(first, 0);
  }
  return ranks;
}

std::vector<Verdict> verdicts(const std::vector<Finding>& findings) {
  std::vector<Verdict> all;
  for (const Finding& finding : findings) all.push_back(finding.verdict);
  return all;
}

TEST(JudgeDevicesTest, FourLinesWhereAllIsWell) {
  const auto findings = judge_devices(hosts_with_devices(), "", kCuda);
  EXPECT_THAT(verdicts(findings),
              ElementsAre(Verdict::kOk, Verdict::kOk, Verdict::kOk, Verdict::kOk));
  EXPECT_THAT(findings[0].found,
              AllOf(HasSubstr("one for each rank"), HasSubstr("Fake 80GB"), HasSubstr("80.0 GiB"),
                    HasSubstr("2 visible"), HasSubstr("CUDA_VISIBLE_DEVICES is not set")));
  EXPECT_THAT(findings[1].found, AllOf(HasSubstr("580.65.06"), HasSubstr("CUDA 13.0")));
  EXPECT_EQ(findings[2].found, "2.28.9");
}

TEST(JudgeDevicesTest, NoDevicesFailOnlyWhereTheyAreAskedFor) {
  const auto findings = judge_devices(without_devices(), "no devices", kAuto);
  EXPECT_THAT(verdicts(findings), ElementsAre(Verdict::kSkipped, Verdict::kSkipped,
                                              Verdict::kSkipped, Verdict::kSkipped));
  EXPECT_EQ(findings[0].found, "no devices: no NVIDIA driver");
  EXPECT_EQ(judge_devices(without_devices(), "no devices", kCuda)[0].verdict, Verdict::kFailure);
}

TEST(JudgeDevicesTest, ARankThatLacksOneIsNamed) {
  auto ranks = hosts_with_devices();
  ranks[1].device = {};
  ranks[1].device.obstacle = "no NVIDIA driver";
  const auto findings = judge_devices(ranks, "no devices", kAuto);
  EXPECT_EQ(findings[0].verdict, Verdict::kWarning);
  EXPECT_THAT(findings[0].found, HasSubstr("'no NVIDIA driver' on rank 1 (host b)"));
}

TEST(JudgeDevicesTest, AConflictFailsWhereDevicesAreAskedFor) {
  const std::string conflict =
      "rank 0 and rank 1 (host a) have the same device, GPU-0. Start fewer";
  EXPECT_EQ(judge_devices(hosts_with_devices(), conflict, kCuda)[0].verdict, Verdict::kFailure);
  const Finding finding = judge_devices(hosts_with_devices(), conflict, kAuto)[0];
  EXPECT_EQ(finding.verdict, Verdict::kWarning);
  EXPECT_THAT(finding.found, HasSubstr("the same device, GPU-0"));
  EXPECT_THAT(finding.advice, HasSubstr("--device cuda:share=true"));
}

TEST(JudgeDevicesTest, TwoModelsAreAWarning) {
  auto ranks = hosts_with_devices();
  ranks[1].device.visible[0].name = "Another";
  const Finding finding = judge_devices(ranks, "", kCuda)[0];
  EXPECT_EQ(finding.verdict, Verdict::kWarning);
  EXPECT_THAT(finding.found, AllOf(HasSubstr("Another"), HasSubstr("rank 1 (host b)")));
}

TEST(JudgeDevicesTest, ADeviceInUseIsAWarningUnlessItIsShared) {
  auto ranks = hosts_with_devices();
  ranks[1].device.free_memory = std::int64_t{10} << 30;
  const Finding finding = judge_devices(ranks, "", kCuda)[0];
  EXPECT_EQ(finding.verdict, Verdict::kWarning);
  EXPECT_THAT(finding.found, AllOf(HasSubstr("10.0 GiB are free"), HasSubstr("rank 1 (host b)")));
  EXPECT_EQ(
      judge_devices(ranks, "", {.device = "cuda", .share_device = true, .out = ""})[0].verdict,
      Verdict::kOk);
}

TEST(JudgeDevicesTest, SharingIsSaid) {
  auto ranks = hosts_with_devices();
  ranks[1].device.visible = ranks[0].device.visible;
  const auto findings =
      judge_devices(ranks, "", {.device = "cuda", .share_device = true, .out = ""});
  EXPECT_THAT(findings[0].found, HasSubstr("shared by ranks"));
}

TEST(JudgeDevicesTest, AnOldDriverFailsAndAnOlderMinorVersionWarns) {
  auto ranks = hosts_with_devices();
  ranks[1].device.driver = 12080;
  const Finding finding = judge_devices(ranks, "", kCuda)[1];
  EXPECT_EQ(finding.verdict, Verdict::kFailure);
  EXPECT_THAT(finding.found, AllOf(HasSubstr("rank 1 (host b)"), HasSubstr("knows CUDA 12.8"),
                                   HasSubstr("built with 13.0")));
  for (RankFacts& facts : ranks) {
    facts.device.driver = 13000;
    facts.device.runtime = 13020;
  }
  EXPECT_EQ(judge_devices(ranks, "", kCuda)[1].verdict, Verdict::kWarning);
}

TEST(JudgeDevicesTest, AnotherDriverIsAWarningAndAnotherNcclFails) {
  auto ranks = hosts_with_devices();
  ranks[1].device.kernel_driver = "590.1";
  EXPECT_EQ(judge_devices(ranks, "", kCuda)[1].verdict, Verdict::kWarning);
  ranks[1].device.nccl = 22703;
  const Finding finding = judge_devices(ranks, "", kCuda)[2];
  EXPECT_EQ(finding.verdict, Verdict::kFailure);
  EXPECT_THAT(finding.found, HasSubstr("'2.27.3' on rank 1 (host b)"));
}

TEST(JudgeDevicesTest, DevicesWithoutAccessToEachOtherAreNamed) {
  auto ranks = hosts_with_devices();
  ranks[1].device.apart = {{0, 1}};
  const Finding finding = judge_devices(ranks, "", kCuda)[3];
  EXPECT_EQ(finding.verdict, Verdict::kWarning);
  EXPECT_THAT(finding.found, HasSubstr("devices 0 and 1 of host b"));
  for (RankFacts& facts : ranks) facts.device.visible.resize(1);
  EXPECT_EQ(judge_devices(ranks, "", kCuda)[3].verdict, Verdict::kSkipped);
}

}  // namespace
}  // namespace palimpsest
