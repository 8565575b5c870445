#pragma once
// Vectors as what collectives take.
#include <vector>

#include "palimpsest/comm/collectives.h"

namespace palimpsest {

inline Buffer buffer_of(std::vector<float>& values) {
  return {values.data(), values.size(), DataType::kFloat32, nullptr};
}
inline Buffer buffer_of(std::vector<double>& values) {
  return {values.data(), values.size(), DataType::kFloat64, nullptr};
}

}  // namespace palimpsest
