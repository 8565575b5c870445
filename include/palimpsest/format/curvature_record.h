#pragma once
// A curvature sidecar: the diagonal of a Fisher matrix (or another curvature of that shape), in a
// separate file beside an adapter that anyone trained. Also in checkpoints_schema/curvature.md.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"

namespace palimpsest {

struct CurvatureRecord {
  AdaptedLayout layout;
  std::vector<float> values;  // flat; on Delta W, at the end of the adapter's training
  std::string kind;           // "empirical-per-sample"
  std::int64_t samples = 0;   // over which the mean was taken
  double factor = 1;          // what `values` are multiplied by in a merge
  std::string base_sha256;    // of the base model's weights file; "" where it isn't known
  bool operator==(const CurvatureRecord&) const = default;
};

// As write_task_record() and read_task_record() (records.h).
std::string write_curvature_record(const std::filesystem::path& path,
                                   const CurvatureRecord& record);
CurvatureRecord read_curvature_record(const std::filesystem::path& path);

}  // namespace palimpsest
