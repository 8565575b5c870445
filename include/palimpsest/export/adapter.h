#pragma once
// Merged weights as one LoRA adapter for peft.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "palimpsest/export/dialect.h"
#include "palimpsest/export/source.h"
#include "palimpsest/format/backbone_config.h"

namespace palimpsest {

struct AdapterReport {
  std::int64_t rank = 0;  // the largest of a module
  // |weights - adapter| / |weights| in the Frobenius norm, for the best adapter of a given rank;
  // nullopt where the adapter is the sum of the tasks' own, which is exact.
  std::optional<double> residual;
  bool is_for_transformers_4 = false;  // by its modules' names, which transformers 5 doesn't know
};

// Writes adapter_config.json and adapter_model.safetensors into `folder`. rank: nullopt requests
// the exact sum of the tasks' adapters (all ranks together); a number for the closest matrices of
// that rank (Eckart and Young: the largest singular values). base: what the adapter is for, as peft
// is to find it. Throws UsageError where the weights are no such sum and no rank is given.
AdapterReport export_adapter(const ExportSource& source, const BackboneConfig& backbone,
                             const PretrainedWeights& weights, Dialect dialect,
                             const std::string& base, std::optional<std::int64_t> rank,
                             const std::filesystem::path& folder);

}  // namespace palimpsest
