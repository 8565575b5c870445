#include "palimpsest/doctor/doctor.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "comm/host_nccl.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"
#include "support/fake_cuda.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct DoctorTest : testing::Test {
  Watchdog watchdog{30};
  HostGroup group{watchdog};
  HostNccl nccl;
  FakeCuda cuda;
  std::vector<std::string> lines;

  void SetUp() override {
    unsetenv("NCCL_HOSTID");
    unsetenv("CUDA_VISIBLE_DEVICES");
    nccl.queues = true;
    cuda.collectives = nccl.api();
    cuda.free_bytes = std::size_t{79} << 30;
  }

  // The same path on every rank.
  std::filesystem::path folder() {
    const std::string name = concat("palimpsest-doctor-", ::getpid());
    return std::filesystem::temp_directory_path() / group.broadcast(name, 0, "folder of the test");
  }

  Diagnosis run_diagnosis(DoctorRequest request, const CudaLookup& lookup) {
    request.largest_all_reduce = 100'000;  // no power of the step from size to size
    request.cuda = lookup;
    request.versions = {{"palimpsest", "test"}};
    return diagnose(request, group, watchdog,
                    [&](const Finding& finding) { lines.push_back(finding_line(finding)); });
  }

  Diagnosis on_processors(const DoctorRequest& request) {
    return run_diagnosis(request, {.api = nullptr, .devices = 0, .obstacle = "none in this test"});
  }

  Diagnosis on_devices(const DoctorRequest& request) {
    api_ = cuda.api();
    return run_diagnosis(
        request, {.api = &api_, .devices = static_cast<int>(cuda.devices.size()), .obstacle = ""});
  }

  static Finding find(const Diagnosis& diagnosis, const std::string& check) {
    const auto found = std::ranges::find(diagnosis.findings, check, &Finding::check);
    if (found != diagnosis.findings.end()) return *found;
    ADD_FAILURE() << "nothing was found on " << check;
    return {};
  }

  bool is_root() const { return group.rank() == 0; }

 private:
  CudaApi api_;

 protected:
  float* broken_ = nullptr;  // the number that a test spoils
};

TEST_F(DoctorTest, WithoutDevicesNothingFails) {
  const Diagnosis diagnosis = on_processors({.device = DeviceKind::kAuto, .out = folder()});
  if (!is_root()) {
    EXPECT_THAT(diagnosis.findings, IsEmpty());
    EXPECT_THAT(lines, IsEmpty());
    return;
  }
  EXPECT_THAT(lines, SizeIs(diagnosis.findings.size()));
  EXPECT_FALSE(diagnosis.failed()) << testing::PrintToString(lines);
  EXPECT_EQ(find(diagnosis, "devices").verdict, Verdict::kSkipped);
  EXPECT_EQ(find(diagnosis, "all-reduce nccl").verdict, Verdict::kSkipped);
  EXPECT_EQ(find(diagnosis, "run folder").verdict, Verdict::kOk);
  EXPECT_THAT(find(diagnosis, "ranks").found, HasSubstr(concat(group.size(), " rank")));
  const Verdict measured = group.size() == 1 ? Verdict::kSkipped : Verdict::kOk;
  EXPECT_EQ(find(diagnosis, "clocks").verdict, measured);
  EXPECT_EQ(find(diagnosis, "all-reduce mpi").verdict, measured);
}

TEST_F(DoctorTest, DevicesThatAreRequestedAndMissingFail) {
  const Diagnosis diagnosis = on_processors({.device = DeviceKind::kCuda, .out = ""});
  if (!is_root()) return;
  EXPECT_TRUE(diagnosis.failed());
  EXPECT_THAT(find(diagnosis, "devices").found, HasSubstr("none in this test"));
}

TEST_F(DoctorTest, OnDevicesNcclIsTimedAndVerified) {
  for (int number = 0; number < std::max(2, group.size()); ++number) {
    cuda.devices.push_back(fake_device(number));
  }
  const Diagnosis diagnosis = on_devices({.device = DeviceKind::kCuda, .out = ""});
  EXPECT_EQ(cuda.device, group.rank());
  EXPECT_EQ(cuda.allocations, 0);
  EXPECT_EQ(std::getenv("NCCL_HOSTID"), nullptr);
  if (!is_root()) return;
  EXPECT_FALSE(diagnosis.failed()) << testing::PrintToString(lines);
  for (const char* check : {"devices", "driver", "NCCL", "peer access", "all-reduce nccl"}) {
    EXPECT_EQ(find(diagnosis, check).verdict, Verdict::kOk) << check;
  }
}

TEST_F(DoctorTest, RanksOnOneDeviceAreRefusedUnlessTheyMayShareIt) {
  if (group.size() == 1) GTEST_SKIP() << "needs two ranks";
  cuda.devices = {fake_device(0)};
  const Diagnosis refused = on_devices({.device = DeviceKind::kCuda, .out = ""});
  if (is_root()) {
    EXPECT_EQ(find(refused, "devices").verdict, Verdict::kFailure);
    EXPECT_THAT(find(refused, "devices").found, HasSubstr("rank 0 and rank 1"));
    EXPECT_EQ(find(refused, "all-reduce nccl").verdict, Verdict::kSkipped);
  }
  EXPECT_THAT(nccl.calls, IsEmpty());
  const Diagnosis shared =
      on_devices({.device = DeviceKind::kCuda, .share_device = true, .out = ""});
  EXPECT_EQ(std::string(std::getenv("NCCL_HOSTID")), concat("palimpsest-rank-", group.rank()));
  unsetenv("NCCL_HOSTID");
  if (is_root()) {
    EXPECT_EQ(find(shared, "all-reduce nccl").verdict, Verdict::kOk);
  }
}

TEST_F(DoctorTest, ADeviceThatDoesNotAnswerOnOneRankIsNamed) {
  for (int number = 0; number < group.size(); ++number) cuda.devices.push_back(fake_device(number));
  if (group.rank() == group.size() - 1) cuda.result = 46;
  const Diagnosis diagnosis = on_devices({.device = DeviceKind::kCuda, .out = ""});
  if (!is_root()) return;
  const Finding finding = find(diagnosis, "devices");
  EXPECT_EQ(finding.verdict, Verdict::kFailure);
  EXPECT_THAT(finding.found, HasSubstr("device 0 does not answer: a fake's error"));
  if (group.size() > 1) {
    EXPECT_THAT(finding.found, HasSubstr(concat("rank ", group.size() - 1)));
  }
}

TEST_F(DoctorTest, AFailureOfNcclIsAFindingAndEndsTheJob) {
  for (int number = 0; number < group.size(); ++number) cuda.devices.push_back(fake_device(number));
  nccl.next_result = kNcclSystemError;
  EXPECT_THROW(on_devices({.device = DeviceKind::kCuda, .out = ""}), RankLostError);
  EXPECT_EQ(cuda.allocations, 0);
  if (is_root()) {
    EXPECT_THAT(lines, testing::Contains(HasSubstr("FAIL  all-reduce nccl")));
  }
}

TEST_F(DoctorTest, WrongSumsOfOneRankFail) {
  for (int number = 0; number < group.size(); ++number) cuda.devices.push_back(fake_device(number));
  const NcclApi right = cuda.collectives;
  const bool breaks = group.rank() == group.size() - 1;
  cuda.collectives.stream_query = [&](void* stream) {
    const CudaResult result = right.stream_query(stream);
    if (result == kCudaSuccess && breaks && broken_ != nullptr) *broken_ += 1;
    return result;
  };
  cuda.collectives.all_reduce_sum = [&](void* data, std::size_t count, DataType type, NcclComm comm,
                                        void* stream) {
    broken_ = static_cast<float*>(data) + count / 2;
    return right.all_reduce_sum(data, count, type, comm, stream);
  };
  const Diagnosis diagnosis = on_devices({.device = DeviceKind::kCuda, .out = ""});
  if (!is_root()) return;
  EXPECT_EQ(find(diagnosis, "all-reduce nccl").verdict, Verdict::kFailure);
  EXPECT_THAT(find(diagnosis, "all-reduce nccl").found,
              HasSubstr(concat("on rank ", group.size() - 1)));
}

TEST_F(DoctorTest, TheRunFolderIsLeftAsItWas) {
  const auto path = folder();
  const DoctorRequest request{.out = path / "deep" / "down"};
  const Diagnosis made = on_processors(request);
  EXPECT_FALSE(std::filesystem::exists(path));
  group.barrier("every rank has looked");
  if (is_root()) {
    EXPECT_EQ(find(made, "run folder").verdict, Verdict::kOk);
    std::filesystem::create_directories(request.out);
    std::ofstream(request.out / "manifest.json") << "{}";
  }
  group.barrier("the folder is there");
  on_processors(request);
  if (!is_root()) return;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(request.out), {}), 1);
  std::filesystem::remove_all(path);
}

TEST_F(DoctorTest, AFileInTheWayOfTheRunFolderFails) {
  const auto path = folder();
  if (is_root()) std::ofstream(path) << "in the way";
  group.barrier("the file is there");
  const Diagnosis diagnosis = on_processors({.out = path});
  if (!is_root()) return;
  EXPECT_EQ(find(diagnosis, "run folder").verdict, Verdict::kFailure);
  EXPECT_THAT(find(diagnosis, "run folder").found, HasSubstr(path.string()));
  std::filesystem::remove(path);
}

TEST_F(DoctorTest, VariablesOfOtherLaunchersAndTextThatIsNotUtf8AreNoObstacle) {
  setenv("NCCL_DEBUG_FILE", "caf\xe9", 1);
  setenv("OMPI_MCA_orte_ess_num_procs", "1", 1);
  const Diagnosis diagnosis = on_processors({.out = ""});
  unsetenv("NCCL_DEBUG_FILE");
  if (!is_root()) return;
  const auto variables = nlohmann::json::parse(diagnosis.to_json())["ranks"][0]["variables"];
  EXPECT_THAT(variables["NCCL_DEBUG_FILE"].get<std::string>(), testing::StartsWith("caf"));
  EXPECT_FALSE(variables.contains("OMPI_MCA_orte_ess_num_procs"));
}

TEST_F(DoctorTest, JsonHasFindingsTimingsAndTheFactsOfEveryRank) {
  const Diagnosis diagnosis = on_processors({.out = ""});
  if (!is_root()) return;
  const auto json = nlohmann::json::parse(diagnosis.to_json());
  EXPECT_EQ(json["failed"], false);
  EXPECT_EQ(json["findings"].size(), diagnosis.findings.size());
  EXPECT_EQ(json["findings"][0]["check"], "MPI");
  EXPECT_EQ(json["findings"][0]["verdict"], "ok");
  EXPECT_EQ(json["ranks"].size(), static_cast<std::size_t>(group.size()));
  EXPECT_EQ(json["all_reduce"].empty(), group.size() == 1);
  for (const auto& timing : json["all_reduce"]) {
    const double algorithm = timing["algorithm_bandwidth"], ranks = group.size();
    EXPECT_NEAR(algorithm * timing["seconds"].get<double>(), timing["bytes"], 1e-3);
    EXPECT_NEAR(timing["bus_bandwidth"], algorithm * 2 * (ranks - 1) / ranks, 1e-3);
  }
}

}  // namespace
}  // namespace palimpsest
