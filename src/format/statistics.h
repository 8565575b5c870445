#pragma once
// Norms of weights and factors and the mass of a Fisher: what inspect shows without touching the
// weights themselves.
#include <span>
#include <vector>

#include "h5.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

double frobenius_norm(std::span<const float> values);

// Frobenius norms of A, B and s*B*A, and the sum of the unscaled Fisher values (0 without a
// Fisher), by module.
std::vector<ModuleStatistics> module_statistics(const TaskRecord& record);

// /stats: one array over the modules for each number.
void write_statistics(H5Writer& file, const TaskRecord& record);
std::vector<ModuleStatistics> read_statistics(const H5File& file);

}  // namespace palimpsest
