#include "palimpsest/format/folder_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

struct Owner {
  std::string host;
  pid_t process = 0;
  std::string job = "none";  // SLURM's
  int restarts = 0;          // of the job, counted by SLURM
};

Owner this_process_as_owner() {
  const char *job = std::getenv("SLURM_JOB_ID"), *restarts = std::getenv("SLURM_RESTART_COUNT");
  return {.host = host_name(),
          .process = ::getpid(),
          .job = job ? job : "none",
          .restarts = restarts ? std::atoi(restarts) : 0};
}

// False where the file is gone or was cut short: its writer was killed over it.
bool read_owner(const std::filesystem::path& path, Owner& owner) {
  std::ifstream file(path);
  return static_cast<bool>(file >> owner.host >> owner.process >> owner.job >> owner.restarts);
}

bool has_ended(const Owner& owner, const Owner& self) {
  const bool was_requeued =
      owner.job != "none" && owner.job == self.job && owner.restarts < self.restarts;
  const bool is_dead = owner.host == self.host && ::kill(owner.process, 0) != 0 && errno == ESRCH;
  return was_requeued || is_dead;
}

// Makes the file, which must not exist. False when it does.
bool make_owner_file(const std::filesystem::path& path, const Owner& owner) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0 && errno == EEXIST) return false;
  if (file < 0) throw Error(concat("cannot make ", path.string(), ": ", std::strerror(errno)));
  const std::string text =
      concat(owner.host, ' ', owner.process, ' ', owner.job, ' ', owner.restarts, '\n');
  const bool written = ::write(file, text.data(), text.size()) == std::ssize(text);
  const std::string problem = std::strerror(errno);
  ::close(file);
  if (written) return true;
  ::unlink(path.c_str());
  throw Error(concat("cannot write ", path.string(), ": ", problem));
}

// Throws UsageError unless the process that made the file has ended.
void check_ended(const std::filesystem::path& path, const Owner& self) {
  Owner owner;
  const bool whole = read_owner(path, owner);
  if (whole && has_ended(owner, self)) return;
  throw UsageError(concat(path.parent_path().string(), " is in use by another run, as ",
                          path.string(), " says",
                          whole ? concat(" (host ", owner.host, ", process ", owner.process,
                                         ", SLURM job ", owner.job, ")")
                                : "",
                          ". The file system has no locks, so a run that was killed leaves this "
                          "file. Wait for the run's end; if it has ended, delete the file; or give "
                          "this run its own --out"));
}

void take_owner_file(const std::filesystem::path& path) {
  const Owner self = this_process_as_owner();
  while (!make_owner_file(path, self)) {
    check_ended(path, self);
    ::unlink(path.c_str());
  }
}

[[noreturn]] void refuse_locked(const std::filesystem::path& folder) {
  throw UsageError(
      concat(folder.string(),
             " is in use by another run; wait for its end, or give this one its own --out"));
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / ".lock";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) throw Error(concat("cannot open ", path.string(), ": ", std::strerror(errno)));
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) {
    lock_ = {nullptr, [file](const void*) { ::close(file); }};
    return;
  }
  const int problem = errno;
  ::close(file);
  if (problem == EWOULDBLOCK) refuse_locked(folder);
  const std::filesystem::path owner = folder / ".owner";
  take_owner_file(owner);
  lock_ = {nullptr, [owner](const void*) { ::unlink(owner.c_str()); }};
  remark_ =
      concat("the file system of ", folder.string(), " refuses locks (", std::strerror(problem),
             "). ", owner.string(), " says instead that this run uses the folder");
}

void FolderLock::check_free(const std::filesystem::path& folder) {
  const int file = ::open((folder / ".lock").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;  // no process has ever locked it
  const bool is_free = ::flock(file, LOCK_EX | LOCK_NB) == 0;
  const int problem = errno;
  ::close(file);
  if (is_free) return;
  if (problem == EWOULDBLOCK) refuse_locked(folder);
  const std::filesystem::path owner = folder / ".owner";
  if (std::filesystem::exists(owner)) check_ended(owner, this_process_as_owner());
}

}  // namespace palimpsest
