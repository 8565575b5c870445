#include <fcntl.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <sstream>
#include <system_error>
#include <thread>

#include "palimpsest/core/error.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/doctor/measure.h"
#include "palimpsest/format/probe_file.h"

namespace palimpsest {
namespace {

constexpr std::string_view kFolderPhase = "trying the run folder";
constexpr const char* kName = ".palimpsest-doctor.h5";
constexpr double kPatience = 5;  // seconds until a network file system must show what was written

// The name behind the number that the kernel has for it.
std::string file_system_of(const std::filesystem::path& folder) {
  const std::map<std::uint32_t, const char*> names = {
      {0x6969, "nfs"},        {0x0bd00bd0, "lustre"},  {0x47504653, "gpfs"},
      {0x19830326, "beegfs"}, {0x00c36400, "ceph"},    {0x65735546, "fuse"},
      {0xef53, "ext4"},       {0x58465342, "xfs"},     {0x9123683e, "btrfs"},
      {0x01021994, "tmpfs"},  {0x794c7630, "overlay"}, {0xff534d42, "cifs"},
      {0x2fc12fc1, "zfs"}};
  struct statfs found {};
  if (statfs(folder.c_str(), &found) != 0) return "unknown file system";
  const auto name = names.find(static_cast<std::uint32_t>(found.f_type));
  return name == names.end() ? "unknown file system" : name->second;
}

// `made`: the folders made for the probe so far, from the outermost: to be removed again.
void make_folders(const std::filesystem::path& folder, std::vector<std::filesystem::path>& made) {
  std::vector<std::filesystem::path> missing;
  std::filesystem::path path = folder;
  for (; !path.empty() && !std::filesystem::exists(path); path = path.parent_path()) {
    missing.insert(missing.begin(), path);
  }
  for (const std::filesystem::path& each : missing) {
    std::filesystem::create_directory(each);
    made.push_back(each);
  }
}

// A lock on a file, as a run holds one on its folder. Closing the file gives it back.
class Flock {
 public:
  Flock(const std::filesystem::path& path, int operation) : file_(::open(path.c_str(), O_RDONLY)) {
    held_ = file_ >= 0 && ::flock(file_, operation | LOCK_NB) == 0;
    refused_ = file_ >= 0 && !held_ && errno == EWOULDBLOCK;
  }
  ~Flock() {
    if (file_ >= 0) ::close(file_);
  }
  Flock(const Flock&) = delete;
  Flock& operator=(const Flock&) = delete;
  bool held() const { return held_; }
  bool refused() const { return refused_; }

 private:
  int file_;
  bool held_ = false, refused_ = false;
};

// What `work` threw; empty where it did its work.
template <typename Work>
std::string problem_of(const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

// Reads until the expected content is there, or for as long as a network file system may take.
FolderView view_of(const std::filesystem::path& file, const std::string& expected) {
  const Stopwatch watch;
  FolderView view;
  do {
    view.problem = problem_of([&] {
      const std::string found = read_probe_file(file);
      if (found != expected) {
        throw Error(concat(file.string(), ": expected '", expected, "', found '", found, "'"));
      }
    });
    view.delay = watch.seconds();
    if (!view.problem.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (!view.problem.empty() && view.delay < kPatience);
  return view;
}

std::string to_text(const FolderView& view) {
  return concat(view.delay, ' ', view.sees_lock, ' ', view.problem);
}

FolderView from_text(const std::string& text) {
  std::istringstream in(text);
  FolderView view;
  in >> view.delay >> view.sees_lock;
  in.get();
  std::getline(in, view.problem, '\0');
  return view;
}

// Rank 0's part: problem, file system, time and space.
FolderReport write_first(const std::filesystem::path& folder, const std::string& content,
                         std::vector<std::filesystem::path>& made) {
  FolderReport report;
  report.problem = problem_of([&] {
    make_folders(folder, made);
    const Stopwatch watch;
    write_probe_file(folder / kName, content);
    report.commit_seconds = watch.seconds();
    report.free_bytes = static_cast<std::int64_t>(std::filesystem::space(folder).available);
  });
  report.file_system = file_system_of(folder);
  return report;
}

}  // namespace

FolderReport try_folder(const std::filesystem::path& folder, HostGroup& group,
                        std::vector<FolderView>& views) {
  const std::filesystem::path file = folder / kName;
  const bool is_root = group.rank() == 0;
  const std::string mark =
      concat("doctor ", std::chrono::system_clock::now().time_since_epoch().count());
  const std::string first = group.broadcast(mark, 0, kFolderPhase), second = first + ", once more";
  std::vector<std::filesystem::path> made;
  FolderReport report;
  if (is_root) report = write_first(folder, first, made);
  report.problem = group.broadcast(report.problem, 0, kFolderPhase);

  FolderView view;
  if (report.problem.empty()) view = view_of(file, first);
  group.barrier(kFolderPhase);
  // Renamed over what others have read, as a manifest is.
  if (is_root && report.problem.empty()) {
    report.problem = problem_of([&] { write_probe_file(file, second); });
  }
  report.problem = group.broadcast(report.problem, 0, kFolderPhase);
  if (report.problem.empty() && view.problem.empty()) view = view_of(file, second);
  group.barrier(kFolderPhase);  // who reads holds a lock, too
  {
    const Flock lock(file, is_root ? LOCK_EX : LOCK_UN);
    const bool locked = group.any(is_root && lock.held(), kFolderPhase);
    if (locked && !is_root) view.sees_lock = Flock(file, LOCK_SH).refused();
    if (!locked) view.sees_lock = false;
    group.barrier(kFolderPhase);
  }
  views.clear();
  for (const std::string& text : group.gather(to_text(view), kFolderPhase)) {
    views.push_back(from_text(text));
  }
  if (is_root) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    for (; !made.empty(); made.pop_back()) std::filesystem::remove(made.back(), ignored);
  }
  group.barrier(kFolderPhase);
  return report;
}

}  // namespace palimpsest
