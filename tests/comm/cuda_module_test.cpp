#include "palimpsest/comm/cuda_module.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(CudaModuleTest, CpuNeedsNoModule) { EXPECT_EQ(choose_cuda(DeviceKind::kCpu), nullptr); }

TEST(CudaModuleTest, AMissingModuleSaysWhereItWasLookedFor) {
  const CudaLookup lookup = open_cuda({"/nowhere/libpalimpsest_cuda.so"});
  EXPECT_EQ(lookup.api, nullptr);
  EXPECT_THAT(lookup.obstacle,
              AllOf(HasSubstr("not built"), HasSubstr("/nowhere/libpalimpsest_cuda.so")));
}

TEST(CudaModuleTest, AFileThatIsNoModuleSaysSo) {
  const auto file =
      std::filesystem::temp_directory_path() / ("palimpsest-no-module-" + std::to_string(getpid()));
  std::ofstream(file) << "no shared object";
  const CudaLookup lookup = open_cuda({file});
  std::filesystem::remove(file);
  EXPECT_EQ(lookup.api, nullptr);
  EXPECT_THAT(lookup.obstacle, AllOf(HasSubstr("does not load"), HasSubstr(file.string())));
}

TEST(CudaModuleTest, AskingForADeviceThatIsNotThereIsAUsageError) {
  if (open_cuda().api) GTEST_SKIP() << "a CUDA device is visible";
  EXPECT_EQ(choose_cuda(DeviceKind::kAuto), nullptr);
  try {
    choose_cuda(DeviceKind::kCuda);
    ADD_FAILURE() << "there is no device";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--device cuda: "));
  }
}

}  // namespace
}  // namespace palimpsest
