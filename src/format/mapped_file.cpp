#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, int cause) {
  throw InputError(concat(path.string(), ": cannot be read: ", std::strerror(cause)));
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) refuse(path, errno);
  struct stat status;
  int cause = fstat(file, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : EINVAL;
  if (cause == 0 && status.st_size > 0) {
    const auto size = static_cast<std::size_t>(status.st_size);
    void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
      cause = errno;
    } else {
      bytes_ = {static_cast<const std::byte*>(data), size};
    }
  }
  close(file);
  if (cause != 0) refuse(path, cause);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::forget_pages() const {
  if (!bytes_.empty()) {
    madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
  }
}

void MappedFile::expect_random_access() const {
  if (!bytes_.empty()) {
    madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_RANDOM);
  }
}

}  // namespace palimpsest
