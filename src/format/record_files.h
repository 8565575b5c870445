#pragma once
// The types of HDF5 files, each with its description.
#include <string_view>

#include "record_fields.h"

namespace palimpsest {

inline constexpr std::string_view kRecordTypes[] = {"task",   "state",     "step",
                                                    "merged", "curvature", "pack"};

// Calls action with the contents of a file of this type, empty. False: there is no such type.
template <typename Action>
bool with_contents_of(std::string_view type, const Action& action) {
  if (type == "task") return action(TaskSummary()), true;
  if (type == "state") return action(StateSummary()), true;
  if (type == "step") return action(StepRecord()), true;
  if (type == "merged") return action(MergedRecord()), true;
  if (type == "curvature") return action(CurvatureRecord()), true;
  if (type == "pack") return action(PackContents()), true;
  return false;
}

// The fields of a type, in the order of its description; none for another type.
std::vector<ListedField> fields_of(std::string_view type, bool of_version_1 = false);

// What is wrong with the file: every field, checksum and number of it, what it has besides, the
// content hash, and whether all of it fits together. Each names file and object.
std::vector<std::string> problems_of(const H5File& file);

}  // namespace palimpsest
