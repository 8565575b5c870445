#pragma once
// Parts of records, for who merges again: what isn't requested stays on disk.
#include <filesystem>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

struct TaskParts {
  bool lora = true;
  bool fisher = false;  // its values; kind, samples and factor come always. With lora only
};

// A task's record without its head's numbers, and of the rest what `parts` says. What is read is
// checked by its CRC-32C, and HDF5 checks its own metadata; the content hash, for which all of the
// file would have to be read, is not checked. Throws InputError as read_task_record().
TaskRecord read_task_parts(const std::filesystem::path& path, const TaskParts& parts);

// A state without weights, and of its memory the heads alone; checked in the same way.
StateRecord read_state_heads(const std::filesystem::path& path);

// The modules of a task record, as the flat vector has them.
AdaptedLayout layout_of(const std::vector<LoraFactors>& lora);

}  // namespace palimpsest
