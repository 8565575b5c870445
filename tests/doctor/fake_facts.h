#pragma once
// What a rank finds where all is well with two devices.
#include "palimpsest/doctor/facts.h"
#include "support/fake_cuda.h"

namespace palimpsest {

// Devices `first` and first + 1 are visible; the rank takes `index` of them.
inline DeviceFacts fake_device_facts(int first, int index) {
  return {.obstacle = "",
          .visible = {fake_device(first), fake_device(first + 1)},
          .index = index,
          .free_memory = std::int64_t{79} << 30,
          .driver = 13000,
          .runtime = 13000,
          .nccl = 22809,
          .kernel_driver = "580.65.06",
          .apart = {}};
}

}  // namespace palimpsest
