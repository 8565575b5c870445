#include "run_records.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

TaskClasses RunRecords::classes() const {
  TaskClasses classes;
  for (const TaskSummary& task : tasks) classes.push_back(task.record.classes);
  return classes;
}

RunRecords read_run_records(const RunFolder& folder) {
  const std::optional<Manifest> manifest = folder.manifest();
  RunRecords run;
  for (std::int64_t task = 0; manifest && task < manifest->tasks_done; ++task) {
    run.tasks.push_back(read_task_summary(folder.task_file(task)));
    const TaskRecord& record = run.tasks.back().record;
    if (record.index != task) {
      throw InputError(concat(folder.task_file(task).string(), ": expected task ", task + 1,
                              ", found task ", record.index + 1,
                              ": palimpsest-verify names all that is wrong with the run"));
    }
    run.accuracy.add_row(record.metrics.after_merge, record.metrics.before_merge);
  }
  return run;
}

RunRecords read_finished(const std::filesystem::path& folder) {
  RunRecords run = read_run_records(RunFolder(folder));
  if (!run.tasks.empty()) return run;
  throw InputError(
      concat(folder.string(), ": expected a run folder with a finished task, found none"));
}

}  // namespace palimpsest
