#include "judge.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

const DoctorRequest kAuto{.device = DeviceKind::kAuto, .out = ""};
const DoctorRequest kCuda{.device = DeviceKind::kCuda, .out = ""};
const DoctorRequest kShared{.device = DeviceKind::kCuda, .share_device = true, .out = ""};

Facts without_devices() {
  return {{{"host", "a"}, {"obstacle", "no NVIDIA driver"}},
          {{"host", "b"}, {"obstacle", "no NVIDIA driver"}}};
}

// Each on its own host, with two devices of which it takes one.
Facts with_devices() {
  Facts ranks = without_devices();
  for (auto& facts : ranks)
    facts.update({{"obstacle", ""},
                  {"conflict", ""},
                  {"model", "Fake 80GB (80.0 GiB)"},
                  {"uuid", "GPU-" + facts["host"].get<std::string>()},
                  {"memory", std::int64_t{80} << 30},
                  {"free_memory", std::int64_t{79} << 30},
                  {"visible", 2},
                  {"driver", 13000},
                  {"driver_version", "580.65.06, CUDA 13.0"},
                  {"runtime", 13000},
                  {"nccl", "2.28.9"},
                  {"apart", nlohmann::json::array()}});
  return ranks;
}

TEST(DevicesTest, FourLinesWhereAllIsWell) {
  expect(judge("devices", with_devices(), kCuda), Verdict::kOk,
         "one for each rank: Fake 80GB (80.0 GiB); 2 visible");
  expect(judge("driver", with_devices(), kCuda), Verdict::kOk,
         "580.65.06, CUDA 13.0, this program is built with CUDA 13.0");
  expect(judge("NCCL", with_devices(), kCuda), Verdict::kOk, "2.28.9");
  expect(judge("peer access", with_devices(), kCuda), Verdict::kOk);
}

TEST(DevicesTest, NoDevicesFailOnlyWhereTheyAreRequested) {
  for (const char* const check : {"devices", "driver", "NCCL", "peer access"})
    expect(judge(check, without_devices(), kAuto), Verdict::kSkipped);
  expect(judge("devices", without_devices(), kAuto), Verdict::kSkipped,
         "no devices: no NVIDIA driver");
  expect(judge("devices", without_devices(), kCuda), Verdict::kFailure);
}

TEST(DevicesTest, ARankThatLacksOneIsNamed) {
  Facts ranks = with_devices();
  ranks[1] = without_devices()[1];
  expect(judge("devices", ranks, kAuto), Verdict::kWarning,
         "'no NVIDIA driver' on rank 1 (host b)");
  expect(judge("devices", ranks, kCuda), Verdict::kFailure);
}

TEST(DevicesTest, AConflictFailsWhereDevicesAreRequested) {
  Facts ranks = with_devices();
  ranks[0]["conflict"] = "rank 0 and rank 1 (host a) have the same device, GPU-0";
  expect(judge("devices", ranks, kCuda), Verdict::kFailure, "the same device, GPU-0");
  expect(judge("devices", ranks, kAuto), Verdict::kWarning, "the same device, GPU-0");
}

TEST(DevicesTest, TwoModelsAreAWarning) {
  Facts ranks = with_devices();
  ranks[1]["model"] = "Another";
  expect(judge("devices", ranks, kCuda), Verdict::kWarning, "'Another' on rank 1 (host b)");
}

TEST(DevicesTest, ADeviceInUseIsAWarningUnlessItIsShared) {
  Facts ranks = with_devices();
  ranks[1]["free_memory"] = std::int64_t{10} << 30;
  expect(judge("devices", ranks, kCuda), Verdict::kWarning,
         "only 10.0 GiB are free on rank 1 (host b)");
  expect(judge("devices", ranks, kShared), Verdict::kOk);
}

TEST(DevicesTest, SharingIsSaid) {
  Facts ranks = with_devices();
  ranks[1]["uuid"] = ranks[0]["uuid"];
  expect(judge("devices", ranks, kShared), Verdict::kOk, "shared by ranks");
}

TEST(DevicesTest, AnOldDriverFailsAndAnOlderMinorVersionWarns) {
  Facts ranks = with_devices();
  ranks[1].update({{"driver", 12080}, {"driver_version", "CUDA 12.8"}});
  expect(judge("driver", ranks, kCuda), Verdict::kFailure,
         "the driver of rank 1 (host b) is CUDA 12.8, this program is built with CUDA 13.0");
  for (auto& facts : ranks) facts.update({{"driver", 13000}, {"runtime", 13020}});
  expect(judge("driver", ranks, kCuda), Verdict::kWarning, "built with CUDA 13.2");
}

TEST(DevicesTest, AnotherDriverIsAWarningAndAnotherNcclFails) {
  Facts ranks = with_devices();
  ranks[1]["driver_version"] = "590.1, CUDA 13.0";
  expect(judge("driver", ranks, kCuda), Verdict::kWarning, "'590.1, CUDA 13.0' on rank 1");
  ranks[1]["nccl"] = "2.27.3";
  expect(judge("NCCL", ranks, kCuda), Verdict::kFailure, "'2.27.3' on rank 1 (host b)");
}

TEST(DevicesTest, DevicesWithoutAccessToEachOtherAreNamed) {
  Facts ranks = with_devices();
  ranks[1]["apart"] = {"0 and 1"};
  expect(judge("peer access", ranks, kCuda), Verdict::kWarning, "devices 0 and 1 of host b");
  for (auto& facts : ranks) facts.update({{"visible", 1}, {"apart", nlohmann::json::array()}});
  expect(judge("peer access", ranks, kCuda), Verdict::kSkipped);
}

}  // namespace
}  // namespace palimpsest
