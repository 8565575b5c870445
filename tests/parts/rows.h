#pragma once
#include <ATen/ATen.h>

#include <vector>

namespace palimpsest {

// A matrix of so many columns.
inline at::Tensor rows(std::vector<float> values, std::int64_t columns) {
  return at::tensor(values).view({-1, columns});
}

}  // namespace palimpsest
