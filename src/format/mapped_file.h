#pragma once
// A file's bytes as memory, read-only; pages are read when they are touched.
#include <cstddef>
#include <filesystem>
#include <span>

namespace palimpsest {

class MappedFile {
 public:
  // Throws InputError naming the file and the cause.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  // Gives the memory of pages read so far back; they are read again when they are touched.
  void forget_pages() const;
  // Advises the kernel that reads are not sequential.
  void expect_random_access() const;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace palimpsest
