#pragma once
// The memory of a run's parts in a state: a dataset /memory/<name> for each tensor, with an
// attribute for the ranks that keep it. Those of versions 1.x of the format go by the same names.
#include <string>
#include <vector>

#include "h5.h"
#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/core/named_tensors.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// A tensor of a file: its values are those of the datasets, one after another.
struct StoredTensor {
  struct Part {
    std::string path;
    H5Dims dims;
  };
  std::string name, type;  // "f4", "f8" or "i8"
  TensorDims dims;
  Keeper keeper = Keeper::kEveryRank;
  std::vector<Part> parts;
};

// Without their values. `layout`, `tasks`: of the state.
std::vector<StoredTensor> stored_memory(const H5File& file, const AdaptedLayout& layout,
                                        std::int64_t tasks);

void write_memory(H5Writer& file, const NamedTensors& memory);
// Of the part of this name; of all for "".
NamedTensors read_memory(const H5File& file, const std::vector<StoredTensor>& stored,
                         std::string_view part = "");

std::vector<TensorSummary> summaries_of(const std::vector<StoredTensor>& stored);

// Where the classes of a task are.
std::string classes_path(const H5File& file, std::int64_t task);

}  // namespace palimpsest
