#include "palimpsest/core/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

[[noreturn]] void fail(std::string_view what, const std::filesystem::path& path) {
  const int cause = errno;
  throw Error(concat("cannot ", what, " ", path.string(), ": ", std::strerror(cause),
                     cause == ENOSPC || cause == EDQUOT
                         ? " (free some space and resume: what was saved before is whole)"
                         : ""));
}

void sync(const std::filesystem::path& path, int flags) {
  const int file = ::open(path.c_str(), flags);
  if (file < 0) fail("open", path);
  const int failed = ::fsync(file);
  const int cause = errno;
  ::close(file);
  errno = cause;
  if (failed != 0) fail("sync", path);
}

// Where a signal handler finds them. More at a time than any program has.
constexpr std::size_t kPlaces = 16;
std::array<std::atomic<const char*>, kPlaces> temporaries{};

// A new file. After every kSyncBytes it waits for the disk: flushing a large cache at the end would
// take long without any sign of progress.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& path)
      : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (file_ < 0) fail("create", path_);
  }
  ~NewFile() {
    if (file_ >= 0) ::close(file_);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const std::byte> content) {
    while (!content.empty()) {
      const ssize_t written = ::write(file_, content.data(), std::min(content.size(), kPart));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("write", path_);
      content = content.subspan(static_cast<std::size_t>(written));
      unsynced_ += static_cast<std::size_t>(written);
      if (unsynced_ >= kSyncBytes) {
        if (::fdatasync(file_) != 0) fail("write", path_);
        unsynced_ = 0;
      }
      progress_made();
    }
  }

  void close() {
    if (::close(std::exchange(file_, -1)) != 0) fail("write", path_);
  }

 private:
  static constexpr std::size_t kPart = 8 << 20, kSyncBytes = 256 << 20;

  const std::filesystem::path& path_;
  int file_;
  std::size_t unsynced_ = 0;
};

std::filesystem::path parent_folder(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target)
    : target_(std::move(target)), temporary_(target_), place_(kPlaces) {
  temporary_ += concat(".", ::getpid(), ".tmp");
  for (std::size_t place = 0; place < kPlaces && place_ == kPlaces; ++place) {
    const char* free = nullptr;
    if (temporaries[place].compare_exchange_strong(free, temporary_.c_str())) place_ = place;
  }
}

AtomicFile::~AtomicFile() {
  if (place_ < kPlaces) temporaries[place_] = nullptr;
  std::error_code ignored;
  if (!committed_) std::filesystem::remove(temporary_, ignored);
}

void AtomicFile::commit() {
  sync(temporary_, O_RDONLY);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("rename to", target_);
  committed_ = true;
  sync(parent_folder(target_), O_RDONLY | O_DIRECTORY);
}

void remove_temporary_files() {
  for (const auto& temporary : temporaries) {
    if (const char* const path = temporary) ::unlink(path);
  }
}

void require_space(const std::filesystem::path& path, std::uintmax_t bytes) {
  std::error_code unknown;
  const auto space = std::filesystem::space(parent_folder(path), unknown);
  if (unknown || space.available >= bytes) return;
  errno = ENOSPC;
  fail("write", path);
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> content) {
  NewFile file(path);
  file.write(content);
  file.close();
}

void copy_content(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::ifstream in(from, std::ios::binary);
  if (!in) fail("read", from);
  NewFile out(to);
  std::vector<char> part(std::size_t{8} << 20);
  while (in) {
    in.read(part.data(), static_cast<std::streamsize>(part.size()));
    if (in.bad()) fail("read", from);
    out.write(std::as_bytes(std::span(part.data(), static_cast<std::size_t>(in.gcount()))));
  }
  out.close();
}

void write_file_atomically(const std::filesystem::path& target, std::string_view content) {
  AtomicFile atomic(target);
  write_file(atomic.temporary(), std::as_bytes(std::span(content)));
  atomic.commit();
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || !(content << file.rdbuf()).good()) {
    const bool empty =
        file && std::filesystem::is_regular_file(path) && std::filesystem::file_size(path) == 0;
    if (!empty) throw InputError(concat("cannot read ", path.string(), ": ", std::strerror(errno)));
  }
  return content.str();
}

}  // namespace palimpsest
