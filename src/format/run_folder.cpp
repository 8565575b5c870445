#include "palimpsest/format/run_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <system_error>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "run_files.h"

namespace palimpsest {
namespace {

// Throws UsageError where a manifest must have been: a run's first commit leaves files of its first
// task alone.
void refuse_records_without_manifest(const std::filesystem::path& folder) {
  for (const std::string& name : {task_name(1), state_name(1)}) {
    if (!std::filesystem::exists(folder / name)) continue;
    throw UsageError(concat(folder.string(), ": expected a new folder or a run, found ", name,
                            " but no manifest.json to say which files belong together. Bring the "
                            "manifest back, or name another folder by --out."));
  }
}

// Throws UsageError when the folder has one of these files.
void refuse_a_run(const std::filesystem::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (std::filesystem::exists(folder / name)) {
      throw UsageError(concat(folder.string(), ": expected a new folder, found a run (", name,
                              "). Resume it by --resume auto, or name another folder by --out."));
    }
  }
}

// The path itself, or the nearest folder above it that is there. Throws Error for a name that no
// folder can have.
std::filesystem::path nearest_there(const std::filesystem::path& path) {
  std::filesystem::path there = std::filesystem::absolute(path).lexically_normal();
  while (there.has_relative_path()) {
    std::error_code error;
    const auto status = std::filesystem::symlink_status(there, error);
    if (std::filesystem::is_symlink(status) && !std::filesystem::exists(there, error)) {
      throw Error(concat(path.string(), ": cannot be made: ", there.string(),
                         " is a link to nothing; name another folder by --out"));
    }
    if (std::filesystem::exists(status)) break;
    if (error && error != std::errc::no_such_file_or_directory &&
        error != std::errc::not_a_directory) {
      throw Error(concat(path.string(), ": cannot be made: ", error.message(),
                         "; name another folder by --out"));
    }
    there = there.parent_path();
  }
  return there;
}

// Throws Error where something else has the name of what a run makes first.
void check_places(const RunFolder& run) {
  const std::filesystem::path& folder = run.path();
  const std::filesystem::path tasks = folder / "tasks";
  if (std::filesystem::exists(tasks) && !std::filesystem::is_directory(tasks)) {
    throw Error(concat(tasks.string(),
                       ": expected a folder, found something else; move it away, "
                       "or name another folder by --out"));
  }
  for (const std::filesystem::path& file : {folder / ".lock", run.log_file()}) {
    if (!std::filesystem::is_directory(file)) continue;
    throw Error(concat(file.string(),
                       ": expected a file, found a folder; move it away, or name "
                       "another folder by --out"));
  }
}

constexpr std::size_t kStepsKept = 2;

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(concat(folder.string(), ": cannot be made: ", error.message()));
}

// The manifest of the run up to, and without, `task`: its task files and the last `states` states
// before it.
Manifest manifest_before(const std::optional<Manifest>& current, std::int64_t task,
                         std::int64_t states, const std::filesystem::path& folder) {
  Manifest before;
  if (current) before.tasks_before = current->tasks_before;
  const auto keep = [&](const std::string& name) {
    if (current && current->files.contains(name)) before.files[name] = current->files.at(name);
  };
  for (std::int64_t earlier = 0; earlier < task; ++earlier) {
    keep(task_name(earlier));
    if (!before.files.contains(task_name(earlier))) {
      throw Error(concat(folder.string(), ": task ", task, " cannot be committed: task ", earlier,
                         " is not in manifest.json."));
    }
  }
  for (std::int64_t kept = 1; kept <= states && kept <= task; ++kept) {
    keep(state_name(task - kept));
  }
  return before;
}

void remove_old_states(const std::filesystem::path& folder, const Manifest& old_manifest,
                       const Manifest& manifest) {
  for (const auto& [name, file] : old_manifest.files) {
    const bool replaced = name.starts_with("state-") || name.starts_with("step-");
    if (replaced && !manifest.files.contains(name)) {
      std::error_code ignored;  // an old file that stays does no harm
      std::filesystem::remove(folder / name, ignored);
    }
  }
}

std::int64_t file_bytes(const std::filesystem::path& file) {
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(file, missing);
  return missing ? 0 : static_cast<std::int64_t>(bytes);
}

// Of a file that was just written.
ManifestFile entry_for(const std::filesystem::path& file, std::string content_sha256) {
  return {.sha256 = sha256_file(file), .content_sha256 = std::move(content_sha256), .logs = {}};
}

// What of the log's first `bytes` is missing, as text; "" when nothing.
std::string cut_log(const std::filesystem::path& log, std::int64_t bytes) {
  std::error_code error;
  const std::int64_t found = file_bytes(log);
  if (found > bytes) {
    std::filesystem::resize_file(log, static_cast<std::uintmax_t>(bytes), error);
    if (error) throw Error(concat(log.string(), ": cannot be cut: ", error.message()));
  }
  if (found >= bytes) return "";
  const bool has_lines = log.extension() == ".jsonl";
  if (found > 0 && has_lines) std::ofstream(log, std::ios::app) << '\n';  // the next begins a line
  return concat(log.string(), ": expected ", bytes, " bytes of what came before, found ", found,
                ": those ", has_lines ? "lines" : "records", " are lost");
}

}  // namespace

std::filesystem::path RunFolder::task_file(std::int64_t task) const {
  return path_ / task_name(task);
}

std::filesystem::path RunFolder::state_file(std::int64_t task) const {
  return path_ / state_name(task);
}

void RunFolder::create(const std::string& run_json) const {
  check_create();
  make_folder(path_ / "tasks");
  write_file_atomically(path_ / "run.json", run_json);
}

void RunFolder::restart(const std::string& run_json) const {
  check_restart();
  const std::optional<Manifest> found = manifest();
  make_folder(path_ / "tasks");
  if (found) {
    std::filesystem::remove(manifest_path(path_));
    remove_old_states(path_, *found, {});
  }
  cut_log(log_file(), 0);
  cut_log(events_file(), 0);
  write_file_atomically(path_ / "run.json", run_json);
}

void RunFolder::begin_with(const RunFolder& other, const StateRecord& state,
                           std::int64_t tasks_before) const {
  Manifest manifest{.tasks_done = state.tasks_done, .tasks_before = tasks_before, .files = {}};
  for (std::int64_t index = 0; index < state.tasks_done; ++index) {
    manifest.files[task_name(index)] =
        entry_for(task_file(index), write_task_record(task_file(index), other.task(index)));
  }
  const std::string newest = state_name(state.tasks_done - 1);
  manifest.files[newest] = entry_for(path_ / newest, write_state_record(path_ / newest, state));
  manifest.files[newest].logs[log_file().filename()] = 0;
  write_file_atomically(manifest_path(path_), manifest_text(manifest));
}

std::optional<Manifest> RunFolder::manifest() const {
  if (!std::filesystem::exists(manifest_path(path_))) return std::nullopt;
  return read_manifest(manifest_path(path_));
}

std::string RunFolder::commit(const TaskRecord& task, const StateRecord& state,
                              const LogOffsets& logs, ModuleArrays* arrays) const {
  if (state.tasks_done != task.index + 1) {
    throw Error(concat(path_.string(), ": expected the state after task ", task.index,
                       ", found one after ", state.tasks_done, " tasks."));
  }
  const std::optional<Manifest> old_manifest = manifest();
  Manifest next = manifest_before(old_manifest, task.index, kStatesKept - 1, path_);
  next.tasks_done = state.tasks_done;
  make_folder(path_ / "tasks");

  const std::filesystem::path task_path = task_file(task.index), path = state_file(task.index);
  next.files[task_name(task.index)] =
      entry_for(task_path, write_task_record(task_path, task, arrays));
  next.files[state_name(task.index)] = entry_for(path, write_state_record(path, state, arrays));

  next.files[state_name(task.index)].logs = logs;
  write_file_atomically(manifest_path(path_), manifest_text(next));
  if (old_manifest) remove_old_states(path_, *old_manifest, next);
  return next.files.at(state_name(task.index)).content_sha256;
}

LogOffsets RunFolder::log_offsets() const {
  LogOffsets offsets = {{log_file().filename(), file_bytes(log_file())}};
  if (std::filesystem::exists(events_file()))
    offsets[events_file().filename()] = file_bytes(events_file());
  return offsets;
}

void RunFolder::commit_step(const StepRecord& step, const LogOffsets& logs) const {
  const std::int64_t task = step.progress.task;
  const std::optional<Manifest> old_manifest = manifest();
  const std::int64_t tasks_done = old_manifest ? old_manifest->tasks_done : 0;
  if (task > tasks_done) {
    throw Error(concat(path_.string(), ": expected a step of task ", tasks_done,
                       ", found one of task ", task, "."));
  }
  Manifest next = manifest_before(old_manifest, task, kStatesKept, path_);
  next.tasks_done = task;
  const std::string name = step_name(task, step.progress.steps_done);
  std::vector<std::string> kept =
      old_manifest ? step_files(*old_manifest, task) : std::vector<std::string>();
  std::erase_if(kept, [&](const std::string& other) { return other >= name; });
  if (kept.size() >= kStepsKept) kept.erase(kept.begin(), kept.end() - (kStepsKept - 1));
  for (const std::string& earlier : kept) next.files[earlier] = old_manifest->files.at(earlier);
  next.files[name] = entry_for(path_ / name, write_step_record(path_ / name, step));
  next.files[name].logs = logs;
  write_file_atomically(manifest_path(path_), manifest_text(next));
  if (old_manifest) remove_old_states(path_, *old_manifest, next);
}

void RunFolder::forget_steps(std::int64_t task, std::int64_t steps_done) const {
  const std::optional<Manifest> found = manifest();
  if (!found) return;
  Manifest kept = *found;
  for (const std::string& name : step_files(*found, task)) {
    if (steps_done > 0 && name <= step_name(task, steps_done)) continue;
    kept.files.erase(name);
  }
  if (kept.files.size() != found->files.size())
    write_file_atomically(manifest_path(path_), manifest_text(kept));
}

std::string RunFolder::cut_logs(const std::string& checkpoint) const {
  LogOffsets offsets = read_manifest(manifest_path(path_)).files.at(checkpoint).logs;
  offsets.try_emplace(events_file().filename(), 0);  // begun after the checkpoint
  std::string remark;
  for (const auto& [log, bytes] : offsets) {
    const std::string missing = cut_log(path_ / log, bytes);
    if (!missing.empty()) remark += concat(remark.empty() ? "" : "\n", missing);
  }
  return remark;
}

std::string RunFolder::cut_logs(std::int64_t task) const { return cut_logs(state_name(task)); }

std::string RunFolder::cut_logs(const TaskProgress& step) const {
  return cut_logs(step_name(step.task, step.steps_done));
}

FolderLock RunFolder::lock() const {
  make_folder(path_);
  return FolderLock(path_);
}

void RunFolder::remove_temporaries() const {
  for (const std::filesystem::path& folder : {path_, path_ / "tasks"}) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == ".tmp") std::filesystem::remove(entry.path(), ignored);
    }
  }
}

TaskRecord RunFolder::task(std::int64_t index) const {
  const std::optional<Manifest> found = manifest();
  if (!found || !found->files.contains(task_name(index))) {
    throw InputError(
        concat(path_.string(), ": expected task ", index + 1, " in manifest.json, found none."));
  }
  check_file_hash(task_file(index), found->files.at(task_name(index)));
  TaskRecord record = read_task_record(task_file(index));
  if (record.index != index) {
    throw InputError(concat(task_file(index).string(), ": expected task ", index + 1,
                            ", found task ", record.index + 1, "."));
  }
  return record;
}

TaskSummary RunFolder::task_summary(const Manifest& manifest, std::int64_t index) const {
  const std::filesystem::path file = task_file(index);
  TaskSummary summary = read_task_summary(file);
  if (summary.record.index != index) {
    throw InputError(concat(file.string(), ": expected task ", index + 1, ", found task ",
                            summary.record.index + 1,
                            ": palimpsest verify names all that is wrong with the run"));
  }
  const std::string& expected = manifest.files.at(task_name(index)).content_sha256;
  if (summary.identity.content_sha256 != expected) {
    throw InputError(concat(file.string(), ": expected the record with the content hash ", expected,
                            " (manifest.json), found that with ", summary.identity.content_sha256,
                            ": the file was replaced by another"));
  }
  return summary;
}

void RunFolder::check_create() const { refuse_a_run(path_, {"manifest.json", "run.json"}); }

void RunFolder::check_restart() const {
  const std::optional<Manifest> found = manifest();
  if (found && found->tasks_done > 0) refuse_a_run(path_, {"manifest.json"});
  if (!found) refuse_records_without_manifest(path_);
}

void RunFolder::check_usable() const {
  const std::filesystem::path there = nearest_there(path_);
  if (!std::filesystem::is_directory(there)) {
    throw Error(concat(path_.string(), ": cannot be made: ", there.string(),
                       " is there, and is no folder; name another by --out"));
  }
  if (::access(there.c_str(), W_OK | X_OK) != 0) {
    throw Error(concat(path_.string(), ": cannot be written: ", there.string(), ": ",
                       std::strerror(errno), "; name another folder by --out"));
  }
  check_places(*this);
  FolderLock::check_free(path_);
}

}  // namespace palimpsest
