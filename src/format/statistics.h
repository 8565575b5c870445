#pragma once
// Norms of weights and factors and the mass of a Fisher: what inspect shows without touching the
// weights themselves.
#include <span>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

double frobenius_norm(std::span<const float> values);

// Frobenius norms of A, B and s*B*A, and the sum of the unscaled Fisher values (0 without a
// Fisher), by module.
std::vector<ModuleStatistics> module_statistics(const TaskRecord& record);

}  // namespace palimpsest
