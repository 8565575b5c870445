#pragma once
// Vectors as what collectives take.
#include <vector>

#include "palimpsest/comm/collectives.h"

namespace palimpsest {

inline Buffer to_buffer(std::vector<float>& values) {
  return {values.data(), values.size(), DataType::kFloat32, nullptr};
}
inline Buffer to_buffer(std::vector<double>& values) {
  return {values.data(), values.size(), DataType::kFloat64, nullptr};
}

}  // namespace palimpsest
