#pragma once
// Every field of every record, a line each (record_fields.cpp). Reader, writer, checks, schema,
// page and the order of a comparison follow from these lines; so do the files in
// checkpoints_schema/
// (`ninja schemas`).
#include "fields.h"
#include "palimpsest/format/curvature_record.h"
#include "palimpsest/format/merged_record.h"
#include "palimpsest/format/step_record.h"

namespace palimpsest {

// What a pack says, except for its samples' bytes.
struct PackContents {
  std::string kind, source;
  std::int64_t vocabulary = 0, longest = 0;
  std::vector<std::uint8_t> bytes;  // not read
  std::int64_t total = 0, samples = 0, dimensions = 0;
  std::vector<std::int64_t> offsets, shape;
  std::vector<std::uint32_t> checksums;
  std::vector<std::int32_t> labels;
  std::vector<std::uint8_t> split;
  std::vector<std::string> classes;
};

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

}  // namespace palimpsest
