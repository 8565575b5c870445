#pragma once
// A run folder: immutable files and one manifest.json, whose rename is the commit. A file that the
// manifest names and that is missing or another one is refused by name; only a resume goes back to
// the state or step before it, and says so. Files that the manifest doesn't name are not read;
// palimpsest verify lists them.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "palimpsest/format/folder_lock.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

using LogOffsets = std::map<std::string, std::int64_t>;  // log file -> bytes of it

struct ManifestFile {
  std::string sha256;          // of the file's bytes
  std::string content_sha256;  // of its mathematical fields
  LogOffsets logs;  // of a state or step: how much of each belongs to the run up to there
};

struct Manifest {
  std::int64_t tasks_done = 0;
  std::int64_t tasks_before = 0;  // of these, learned before the run's own protocol (--continue)
  std::map<std::string, ManifestFile> files;  // by path relative to the run folder
};

// A state to resume from.
struct NewestState {
  StateRecord record;
  std::string content_sha256;
  std::string remark;  // of a resume: which newer state is damaged, why, and what is used instead
};

// A step to resume from, within the task that comes after a state.
struct NewestStep {
  std::optional<StepRecord> record;  // nullopt: from the beginning of the task
  std::string remark;                // as above
};

class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path task_file(std::int64_t task) const;   // tasks/task-0000.h5
  std::filesystem::path state_file(std::int64_t task) const;  // state-0000.h5, after that task
  // The logs: every event as a line of JSON, and what TensorBoard shows.
  std::filesystem::path log_file() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path events_file() const { return path_ / "events.out.tfevents.palimpsest"; }

  // Makes the folder where it is missing, and takes it for this process. Throws UsageError while
  // another run uses it.
  FolderLock lock() const;

  // What lock(), create() and restart() refuse, and what can be said beforehand of a folder that
  // cannot be made or written: throws as they do, and writes nothing.
  void check_usable() const;
  void check_create() const;
  void check_restart() const;

  // Makes the folder for a new run and writes run.json. Throws UsageError when it has a run
  // already (resume it, or name another folder), Error when it can't be written.
  void create(const std::string& run_json) const;

  // As create(), also where an earlier start of the run has left its run.json and log but has
  // finished no task: run.json is replaced, the logs emptied, steps are forgotten. Throws
  // UsageError when a task was committed.
  void restart(const std::string& run_json) const;

  // Into the new folder: the task records of another run up to one of its states, verified, and the
  // state, from which this run starts. tasks_before: as in its manifest.
  void begin_with(const RunFolder& other, const StateRecord& state,
                  std::int64_t tasks_before = 0) const;

  // nullopt when nothing was committed yet. Throws InputError on a damaged manifest.
  std::optional<Manifest> manifest() const;

  // Writes the task's record and the state, then the manifest. Keeps the last two states, and no
  // step. logs: up to the end of this task. What an earlier manifest says of this task and later
  // ones is forgotten. Throws Error when the state isn't the one after this task, or an earlier
  // task was never committed. Returns the state's content hash.
  // arrays: as write_task_record().
  std::string commit(const TaskRecord& task, const StateRecord& state, const LogOffsets& logs,
                     ModuleArrays* arrays = nullptr) const;
  std::string commit(const TaskRecord& task, const StateRecord& state) const {
    return commit(task, state, log_offsets());
  }

  // Writes a step of the task after the newest state, then the manifest. Keeps the last two steps.
  // logs: up to this step. Throws Error when the task is not the next one.
  void commit_step(const StepRecord& step, const LogOffsets& logs) const;

  // Of the logs as they are now: metrics.jsonl, missing or not, and others that are there.
  LogOffsets log_offsets() const;

  // The newest state that the manifest names, verified (file hash first, then the record's own
  // checks). nullopt when no task was committed. Throws InputError, saying which state is damaged
  // or missing and what to do, rather than take an older one.
  std::optional<NewestState> newest_state() const;

  // Its weights, heads and classifiers, for who learns nothing more. is_hashed: after comparing the
  // file with the hash that the manifest has for it, for which all of it is read: enough on one of
  // several ranks. Without it the checksums of what is read are compared. Throws as newest_state().
  std::optional<StateRecord> newest_weights(bool is_hashed) const;

  // For a resume, which does again what is lost: as newest_state(), but where the newest state or
  // its task's record is not whole, the one before, and the remark says so. Files of later tasks
  // are then ignored. Throws InputError when states are named but none verifies.
  std::optional<NewestState> state_to_resume() const;

  // For who reads other parts of the run: throws InputError as newest_state() where the newest
  // state or its task's record is missing or has another file hash than the manifest says.
  void check_newest() const;

  // For a resume: the newest step of `task` that belongs to the state with this content hash (""
  // for the first task) and verifies; the one before when the newest is damaged.
  NewestStep newest_step(std::int64_t task, const std::string& state_content_sha256) const;

  // The run resumes from this step (0: from the task's beginning): later ones, damaged or of a
  // state that was given up, are no longer part of it, and are not counted among the two that are
  // kept. Their files stay.
  void forget_steps(std::int64_t task, std::int64_t steps_done) const;

  // Cuts the logs to what belongs to the run up to the state after this task, or up to this step of
  // it. Returns what of that is missing, as text; "" when nothing.
  std::string cut_logs(std::int64_t task) const;
  std::string cut_logs(const TaskProgress& step) const;

  // Removes what a process that was killed left half written.
  void remove_temporaries() const;

  // The record of one task, after checking the hash that the manifest has for it.
  TaskRecord task(std::int64_t index) const;

  // Its summary. Throws InputError where the file is another task's, or names another content hash
  // than this manifest: the rest of the file isn't read.
  TaskSummary task_summary(const Manifest& manifest, std::int64_t index) const;

 private:
  std::string cut_logs(const std::string& checkpoint) const;

  std::filesystem::path path_;
};

// For a file of a run that is given itself: throws InputError where the manifest of its run folder
// names it, and it is another file than that.
void check_named_file(const std::filesystem::path& file);

// What is at a path where a run with a finished task was expected, as text: "nothing there", or
// which run folders it contains, or of which one it is a part.
std::string describe_missing_run(const std::filesystem::path& path);

}  // namespace palimpsest
