#pragma once
// A file that appears whole or not at all: written under a temporary name in the same folder,
// synced, then renamed.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace palimpsest {

class AtomicFile {
 public:
  // Nothing is created yet: write to temporary() by any means, close it, then commit().
  explicit AtomicFile(std::filesystem::path target);
  // Removes the temporary file when commit() was not reached.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::filesystem::path& temporary() const { return temporary_; }

  // fsync, rename to the target, fsync the folder. Throws Error naming the file and the cause.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  bool committed_ = false;
  std::size_t place_;  // among those that remove_temporary_files() knows
};

// Removes the temporary file of every AtomicFile of this process that is not committed. May be
// called by a signal handler, before the process ends.
void remove_temporary_files();

// Throws Error as write_file() where the disk of a file to write has less space than this.
void require_space(const std::filesystem::path& path, std::uintmax_t bytes);

// Writes and closes the file, in parts, each of which is progress (core/progress.h). Throws Error
// naming it and the cause: no space, not allowed, ...
void write_file(const std::filesystem::path& path, std::span<const std::byte> content);

// The same of another file's content.
void copy_content(const std::filesystem::path& from, const std::filesystem::path& to);

void write_file_atomically(const std::filesystem::path& target, std::string_view content);

// Throws InputError when the file cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace palimpsest
