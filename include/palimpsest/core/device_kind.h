#pragma once
// Where to compute.
#include <array>
#include <string_view>

#include "palimpsest/core/choice.h"

namespace palimpsest {

enum class DeviceKind { kAuto, kCpu, kCuda };  // kAuto: a GPU where there is one
constexpr auto choices(DeviceKind) {
  return std::array<std::string_view, 3>{"auto", "cpu", "cuda"};
}

}  // namespace palimpsest
