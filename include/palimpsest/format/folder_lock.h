#pragma once
// One process at a time works in a run folder.
#include <filesystem>
#include <memory>
#include <string>

namespace palimpsest {

// Locks a folder for this process: released when the last copy goes out of scope or the process
// ends. The lock is flock() on FOLDER/.lock. Where the file system refuses locks (ENOLCK, ENOSYS),
// FOLDER/.owner takes its place: a file that names host, process and SLURM job. It is left behind
// by a process that was killed; a process that no longer lives on this host, and the same SLURM job
// requeued, give the folder up.
class FolderLock {
 public:
  FolderLock() = default;  // locks nothing
  // The folder exists. Throws UsageError, naming who, while another process has locked it; Error
  // when the file can't be made.
  explicit FolderLock(const std::filesystem::path& folder);

  // Throws UsageError as the constructor does while another process has locked the folder. Takes
  // and writes nothing.
  static void check_free(const std::filesystem::path& folder);

  // For the user: that the file system refuses locks, and what protects the folder; "" otherwise.
  const std::string& remark() const { return remark_; }

 private:
  std::shared_ptr<const void> lock_;  // what gives it back
  std::string remark_;
};

}  // namespace palimpsest
