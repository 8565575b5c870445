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
    const std::filesystem::path file = folder.task_file(task);
    run.tasks.push_back(read_task_summary(file));
    const TaskRecord& record = run.tasks.back().record;
    if (record.index != task) {
      throw InputError(concat(folder.task_file(task).string(), ": expected task ", task + 1,
                              ", found task ", record.index + 1,
                              ": palimpsest-verify names all that is wrong with the run"));
    }
    const std::string name = file.lexically_relative(folder.path()).generic_string();
    if (run.tasks.back().identity.content_sha256 != manifest->files.at(name).content_sha256) {
      throw InputError(concat(file.string(),
                              ": its content hash is another than in manifest.json: "
                              "the file was replaced by another"));
    }
    run.accuracy.add_row(record.metrics.after_merge, record.metrics.before_merge);
  }
  return run;
}

RunRecords read_finished(const std::filesystem::path& folder) {
  RunFolder(folder).check_newest();
  RunRecords run = read_run_records(RunFolder(folder));
  if (!run.tasks.empty()) return run;
  throw InputError(concat(folder.string(), ": expected a run folder with a finished task, found ",
                          found_instead_of_run(folder)));
}

}  // namespace palimpsest
