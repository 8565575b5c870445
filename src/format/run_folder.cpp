#include "palimpsest/format/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "manifest.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::int64_t kStatesKept = 2;

std::string numbered(std::int64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%04lld", static_cast<long long>(number));
  return digits;
}

std::string task_name(std::int64_t task) { return "tasks/task-" + numbered(task) + ".h5"; }
std::string state_name(std::int64_t task) { return "state-" + numbered(task) + ".h5"; }

std::filesystem::path manifest_path(const std::filesystem::path& folder) {
  return folder / "manifest.json";
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error(concat(folder.string(), ": cannot be made: ", error.message()));
}

// The manifest of the run up to, and without, `task`: its task files and the state before it.
Manifest manifest_before(const std::optional<Manifest>& current, std::int64_t task,
                         const std::filesystem::path& folder) {
  Manifest before;
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
  for (std::int64_t kept = 1; kept < kStatesKept && kept <= task; ++kept) {
    const std::string name = state_name(task - kept);
    keep(name);
    if (current->log_offsets.contains(name)) {
      before.log_offsets[name] = current->log_offsets.at(name);
    }
  }
  return before;
}

void remove_old_states(const std::filesystem::path& folder, const Manifest& old_manifest,
                       const Manifest& manifest) {
  for (const auto& [name, file] : old_manifest.files) {
    if (name.starts_with("state-") && !manifest.files.contains(name)) {
      std::error_code ignored;  // an old state that stays does no harm
      std::filesystem::remove(folder / name, ignored);
    }
  }
}

void check_file_hash(const std::filesystem::path& path, const ManifestFile& expected) {
  const std::string found = sha256_of_file(path);
  if (found != expected.sha256) {
    throw InputError(concat(path.string(), ": expected SHA-256 ", expected.sha256,
                            " (manifest.json), found ", found,
                            ". The file is damaged or was replaced."));
  }
}

// Does nothing to a log that is missing or short enough.
void cut_log(const std::filesystem::path& log, std::uintmax_t bytes) {
  std::error_code error;
  const auto size = std::filesystem::file_size(log, error);
  if (error || size <= bytes) return;
  std::filesystem::resize_file(log, bytes, error);
  if (error) throw Error(concat(log.string(), ": cannot be cut: ", error.message()));
}

void cut_logs_of(const std::filesystem::path& folder, const Manifest& manifest,
                 const std::string& state) {
  const auto offsets = manifest.log_offsets.find(state);
  if (offsets == manifest.log_offsets.end()) return;
  for (const auto& [log, bytes] : offsets->second) {
    cut_log(folder / log, static_cast<std::uintmax_t>(bytes));
  }
}

// Throws UsageError when the folder holds one of these files.
void refuse_a_run(const std::filesystem::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (std::filesystem::exists(folder / name)) {
      throw UsageError(
          concat(folder.string(), ": expected a new folder, found a run (", name,
                 "). Go on with it by --resume auto, or name another folder by --out."));
    }
  }
}

}  // namespace

std::filesystem::path RunFolder::task_file(std::int64_t task) const {
  return path_ / task_name(task);
}

std::filesystem::path RunFolder::state_file(std::int64_t task) const {
  return path_ / state_name(task);
}

void RunFolder::create(const std::string& run_json) const {
  refuse_a_run(path_, {"manifest.json", "run.json"});
  make_folder(path_ / "tasks");
  write_file_atomically(path_ / "run.json", run_json);
}

void RunFolder::restart(const std::string& run_json) const {
  refuse_a_run(path_, {"manifest.json"});
  make_folder(path_ / "tasks");
  cut_log(log_file(), 0);
  write_file_atomically(path_ / "run.json", run_json);
}

std::optional<Manifest> RunFolder::manifest() const {
  if (!std::filesystem::exists(manifest_path(path_))) return std::nullopt;
  return read_manifest(manifest_path(path_));
}

void RunFolder::commit(const TaskRecord& task, const StateRecord& state) const {
  if (state.tasks_done != task.index + 1) {
    throw Error(concat(path_.string(), ": expected the state after task ", task.index,
                       ", found one after ", state.tasks_done, " tasks."));
  }
  const std::optional<Manifest> old_manifest = manifest();
  Manifest next = manifest_before(old_manifest, task.index, path_);
  next.tasks_done = state.tasks_done;
  make_folder(path_ / "tasks");

  ManifestFile& task_entry = next.files[task_name(task.index)];
  task_entry.content_sha256 = write_task_record(task_file(task.index), task);
  task_entry.sha256 = sha256_of_file(task_file(task.index));
  ManifestFile& state_entry = next.files[state_name(task.index)];
  state_entry.content_sha256 = write_state_record(state_file(task.index), state);
  state_entry.sha256 = sha256_of_file(state_file(task.index));

  std::error_code missing;
  const auto log_bytes = std::filesystem::file_size(log_file(), missing);
  next.log_offsets[state_name(task.index)][log_file().filename()] =
      missing ? 0 : static_cast<std::int64_t>(log_bytes);
  write_file_atomically(manifest_path(path_), manifest_text(next));
  if (old_manifest) remove_old_states(path_, *old_manifest, next);
}

std::optional<NewestState> RunFolder::newest_state() const {
  const std::optional<Manifest> found = manifest();
  if (!found) return std::nullopt;
  std::string problems;
  for (std::int64_t task = found->tasks_done - 1;
       task >= 0 && task >= found->tasks_done - kStatesKept; --task) {
    const std::string name = state_name(task);
    try {
      const auto entry = found->files.find(name);
      if (entry == found->files.end()) {
        throw InputError(concat(manifest_path(path_).string(), ": expected an entry for ", name,
                                ", found none."));
      }
      check_file_hash(path_ / name, entry->second);
      NewestState newest{.record = read_state_record(path_ / name), .remark = {}};
      if (!problems.empty()) {
        newest.remark = concat("going on from ", name, ", and doing again what came after it: ",
                               "the newest state is damaged: ", problems);
      }
      return newest;
    } catch (const InputError& error) {
      problems += concat(problems.empty() ? "" : "\n  ", error.what());
    }
  }
  throw InputError(
      concat(path_.string(), ": expected a whole state to go on from, found none:\n  ", problems));
}

void RunFolder::cut_logs(std::int64_t task) const {
  if (const std::optional<Manifest> found = manifest())
    cut_logs_of(path_, *found, state_name(task));
}

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

FolderLock RunFolder::lock() const {
  make_folder(path_);
  const std::filesystem::path path = path_ / ".lock";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) throw Error(concat("cannot open ", path.string(), ": ", std::strerror(errno)));
  if (::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(file);
    throw UsageError(
        concat(path_.string(),
               " is in use by another run; wait for its end, or give this one its own --out"));
  }
  return FolderLock(file);
}

TaskRecord RunFolder::task(std::int64_t index) const {
  const std::optional<Manifest> found = manifest();
  if (!found || !found->files.contains(task_name(index))) {
    throw InputError(
        concat(path_.string(), ": expected task ", index, " in manifest.json, found none."));
  }
  check_file_hash(task_file(index), found->files.at(task_name(index)));
  TaskRecord record = read_task_record(task_file(index));
  if (record.index != index) {
    throw InputError(concat(task_file(index).string(), ": expected task ", index, ", found task ",
                            record.index, "."));
  }
  return record;
}

}  // namespace palimpsest
