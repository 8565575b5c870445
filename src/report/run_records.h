#pragma once
// What the views of whole runs are made of.
#include <vector>

#include "palimpsest/format/records.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/metrics/decomposition.h"

namespace palimpsest {

struct RunRecords {
  std::vector<TaskSummary> tasks;  // those finished
  AccuracyMatrix accuracy;
  TaskClasses classes() const;
};

// Throws InputError where a record is missing, damaged or of another task.
RunRecords read_run_records(const RunFolder& folder);

// The same, of a run that must have finished a task.
RunRecords read_finished(const std::filesystem::path& folder);

}  // namespace palimpsest
