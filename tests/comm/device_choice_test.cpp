#include "palimpsest/comm/device_choice.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "support/fake_cuda.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(DeviceChoiceTest, EveryRankOfANodeTakesItsOwnDevice) {
  EXPECT_EQ(device_index(3, 4, false), 3);
  EXPECT_EQ(device_index(3, 1, false), 0);  // the launcher has given this rank its own
  EXPECT_EQ(device_index(4, 4, false), 4);  // there is none: found by device_conflict
  EXPECT_EQ(device_index(0, 0, false), 0);
}

TEST(DeviceChoiceTest, SharedDevicesAreAssignedInTurn) {
  EXPECT_EQ(device_index(4, 4, true), 0);
  EXPECT_EQ(device_index(7, 3, true), 1);
  EXPECT_EQ(device_index(2, 1, true), 0);
  EXPECT_EQ(device_index(2, 0, true), 2);
}

TEST(DeviceChoiceTest, ADeviceIsKnownByItsUuidWhateverTheMaskSays) {
  const CudaDeviceInfo device = fake_device(3);
  EXPECT_EQ(device_identity(device, "a", "0,3", 1), "GPU-3");
  EXPECT_EQ(device_identity(device, "b", "", 0), "GPU-3");
}

TEST(DeviceChoiceTest, WithoutAUuidThePciAddressOfTheHostIsIt) {
  CudaDeviceInfo device = fake_device(3);
  device.uuid = "";
  EXPECT_EQ(device_identity(device, "a", "3", 0), device_identity(device, "a", "0,1,3", 2));
  EXPECT_NE(device_identity(device, "a", "", 0), device_identity(device, "b", "", 0));
}

TEST(DeviceChoiceTest, WithoutAnythingThePlaceInTheMaskIsIt) {
  const CudaDeviceInfo silent;
  EXPECT_NE(device_identity(silent, "a", "0,1", 0), device_identity(silent, "a", "0,1", 1));
  EXPECT_NE(device_identity(silent, "a", "0", 0), device_identity(silent, "a", "1", 0));
}

// CUDA may answer for a slice with what its whole GPU is.
TEST(DeviceChoiceTest, SlicesOfOneGpuAreDifferentDevices) {
  const CudaDeviceInfo whole = fake_device(1);
  EXPECT_EQ(device_identity(whole, "a", "MIG-11,MIG-12", 1), "MIG-12");
  EXPECT_NE(device_identity(whole, "a", "MIG-11", 0), device_identity(whole, "a", "MIG-12", 0));
}

RankDevice on(const std::string& host, int node_rank, int devices, int index, int number) {
  return {.host = host,
          .node_rank = node_rank,
          .devices = devices,
          .index = index,
          .identity = fake_device(number).uuid,
          .pci_bus_id = fake_device(number).pci_bus_id};
}

TEST(DeviceChoiceTest, OneDevicePerRankIsNoConflict) {
  const std::vector<RankDevice> all_visible = {on("a", 0, 2, 0, 1), on("a", 1, 2, 1, 2)};
  const std::vector<RankDevice> one_visible = {on("a", 0, 1, 0, 1), on("a", 1, 1, 0, 2)};
  EXPECT_EQ(device_conflict(all_visible, false), "");
  EXPECT_EQ(device_conflict(one_visible, false), "");
  EXPECT_EQ(nccl_host_id(one_visible, 1), "");
}

TEST(DeviceChoiceTest, TwoRanksOnOneDeviceAreNamedUnlessTheyMay) {
  const std::vector<RankDevice> ranks = {on("a", 0, 1, 0, 1), on("b", 0, 1, 0, 2),
                                         on("b", 1, 1, 0, 2)};
  EXPECT_THAT(device_conflict(ranks, false),
              AllOf(HasSubstr("rank 1 and rank 2 (host b)"), HasSubstr("GPU-2"),
                    HasSubstr("--device cuda:share=true")));
  EXPECT_EQ(device_conflict(ranks, true), "");
}

TEST(DeviceChoiceTest, MoreRanksThanDevicesAreAConflict) {
  const std::vector<RankDevice> ranks = {
      on("a", 0, 2, 0, 1),
      on("a", 1, 2, 1, 2),
      {.host = "a", .node_rank = 2, .devices = 2, .index = 2, .identity = "", .pci_bus_id = ""}};
  EXPECT_THAT(device_conflict(ranks, false),
              AllOf(HasSubstr("rank 2 (host a) is number 3 of its node, and sees 2 devices"),
                    HasSubstr("--device cuda:share=true")));
}

TEST(DeviceChoiceTest, ARankWithoutADeviceIsAConflictEvenWhereTheyMayBeShared) {
  const std::vector<RankDevice> ranks = {on("a", 0, 1, 0, 1), on("b", 0, 0, 0, 2)};
  EXPECT_THAT(device_conflict(ranks, true), HasSubstr("rank 1 (host b) has no device"));
}

TEST(DeviceChoiceTest, RanksOnOnePciAddressGetTheirOwnHostsForNccl) {
  const std::vector<RankDevice> shared = {on("a", 0, 1, 0, 1), on("a", 1, 1, 0, 1)};
  EXPECT_NE(nccl_host_id(shared, 0), "");
  EXPECT_NE(nccl_host_id(shared, 0), nccl_host_id(shared, 1));
  // The same address on two hosts is two devices.
  const std::vector<RankDevice> apart = {on("a", 0, 1, 0, 1), on("b", 0, 1, 0, 1)};
  EXPECT_EQ(nccl_host_id(apart, 0), "");
  // Two slices of one GPU: different devices, the same address.
  std::vector<RankDevice> slices = shared;
  slices[1].identity = "MIG-12";
  EXPECT_EQ(device_conflict(slices, false), "");
  EXPECT_NE(nccl_host_id(slices, 1), "");
}

TEST(DeviceChoiceTest, TheUsersOwnHostIdStays) {
  const std::vector<RankDevice> shared = {on("a", 0, 1, 0, 1), on("a", 1, 1, 0, 1)};
  unsetenv("NCCL_HOSTID");
  announce_shared_devices(std::span(shared).first(1), 0);
  EXPECT_EQ(std::getenv("NCCL_HOSTID"), nullptr);
  announce_shared_devices(shared, 1);
  EXPECT_EQ(std::string(std::getenv("NCCL_HOSTID")), nccl_host_id(shared, 1));
  setenv("NCCL_HOSTID", "mine", 1);
  announce_shared_devices(shared, 1);
  EXPECT_STREQ(std::getenv("NCCL_HOSTID"), "mine");
  unsetenv("NCCL_HOSTID");
}

struct GatherDevicesTest : testing::Test {
  Watchdog watchdog{30};
  HostGroup group{watchdog};
  FakeCuda cuda;

  void SetUp() override { unsetenv("CUDA_VISIBLE_DEVICES"); }
};

TEST_F(GatherDevicesTest, EveryRankKnowsWhatEveryOtherHas) {
  for (int number = 0; number < group.size(); ++number) cuda.devices.push_back(fake_device(number));
  const CudaApi api = cuda.api();
  const std::vector<RankDevice> ranks = gather_devices(&api, false, group);
  ASSERT_EQ(ranks.size(), static_cast<std::size_t>(group.size()));
  for (int rank = 0; rank < group.size(); ++rank) {
    EXPECT_EQ(ranks[static_cast<std::size_t>(rank)],
              on(ranks.front().host, rank, group.size(), group.size() == 1 ? 0 : rank, rank));
  }
  EXPECT_EQ(device_conflict(ranks, false), "");
}

TEST_F(GatherDevicesTest, RanksThatSeeTheSameDeviceAreFoundByItsUuid) {
  cuda.devices = {fake_device(1)};
  setenv("CUDA_VISIBLE_DEVICES", std::to_string(group.rank()).c_str(), 1);  // says nothing
  const CudaApi api = cuda.api();
  const std::vector<RankDevice> ranks = gather_devices(&api, false, group);
  unsetenv("CUDA_VISIBLE_DEVICES");
  EXPECT_EQ(device_conflict(ranks, false).empty(), group.size() == 1);
  EXPECT_EQ(device_conflict(ranks, true), "");
}

TEST_F(GatherDevicesTest, ARankWithoutCudaIsKnownToAll) {
  cuda.devices = {fake_device(1)};
  const CudaApi api = cuda.api();
  const bool last = group.rank() == group.size() - 1;
  const std::vector<RankDevice> ranks = gather_devices(last ? nullptr : &api, true, group);
  EXPECT_THAT(device_conflict(ranks, true),
              HasSubstr(concat("rank ", group.size() - 1, " (host ")));
}

TEST_F(GatherDevicesTest, ADeviceThatDoesNotAnswerIsAnError) {
  cuda.devices = {fake_device(1)};
  cuda.result = 46;
  const CudaApi api = cuda.api();
  EXPECT_THROW(gather_devices(&api, true, group), Error);
}

}  // namespace
}  // namespace palimpsest
