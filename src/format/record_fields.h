#pragma once
// Every field of every record, a line each (record_fields.cpp). Reader, writer, checks, schema,
// page and the order of a comparison follow from these lines; so do the files in
// checkpoints_schema/ (`ninja schemas`).
#include "fields.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/format/records.h"
#include "versions.h"

namespace palimpsest {

void describe(Fields& fields, TaskRecord& r);
void describe(Fields& fields, StateRecord& r);
void describe(Fields& fields, StepRecord& r);
void describe(Fields& fields, MergedRecord& r);
void describe(Fields& fields, CurvatureRecord& r);
void describe(Fields& fields, PackContents& r);

// Parts of records. Of a state of versions 1.x (version_1.cpp): what has other places in it.
void describe_head(Fields& fields, std::string_view group, Head& head);
void describe_memory_of_version_1(Fields& fields, StateRecord& r);

// What follows from a record, and is in its file. Not hashed.
void describe_statistics(Fields& fields, std::vector<ModuleStatistics>& modules, bool& finite);
void describe_statistics(Fields& fields, std::optional<double>& norm_merged);

// All of a file.
void describe(Fields& fields, TaskSummary& r);
void describe(Fields& fields, StateSummary& r);

// The types of HDF5 files.
inline constexpr std::string_view kRecordTypes[] = {"task",   "state",     "step",
                                                    "merged", "curvature", "pack"};

// Calls action with the contents of a file of this type, empty. False: there is no such type.
template <typename Action>
bool with_empty_contents(std::string_view type, const Action& action) {
  if (type == "task") return action(TaskSummary()), true;
  if (type == "state") return action(StateSummary()), true;
  if (type == "step") return action(StepRecord()), true;
  if (type == "merged") return action(MergedRecord()), true;
  if (type == "curvature") return action(CurvatureRecord()), true;
  if (type == "pack") return action(PackContents()), true;
  return false;
}

// The fields of a type, in the order of its description; none for another type.
std::vector<ListedField> list_fields(std::string_view type,
                                     std::string_view version = kFormatVersion);

// What is wrong with the file: every field, checksum and number of it, what it has besides, the
// content hash, and whether all of it fits together. Each names file and object.
std::vector<std::string> find_problems(const H5File& file);

}  // namespace palimpsest
