// What a run folder is refused for, before anything is written into it.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "palimpsest/core/error.h"
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

}  // namespace

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
