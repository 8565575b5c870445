// Checks of the run folder, as every rank sees it.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <system_error>
#include <thread>

#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/doctor/check.h"
#include "palimpsest/format/records.h"

namespace palimpsest {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// The name behind the number that the kernel has for it.
std::string file_system_name(const fs::path& folder) {
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

// What `work` threw; empty where it did its work.
template <typename Work>
std::string find_problem(const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

// Reads until the expected content is there, or for as long as a network file system may take.
json read_facts(const fs::path& file, const std::string& expected) {
  constexpr double kPatience = 5;  // seconds
  const Stopwatch watch;
  for (;;) {
    const std::string problem = find_problem([&] {
      const std::string found = read_probe_file(file);
      if (found != expected)
        throw Error(concat(file.string(), ": expected '", expected, "', found '", found, "'"));
    });
    if (problem.empty() || watch.seconds() > kPatience)
      return {{"folder_problem", problem}, {"folder_delay", watch.seconds()}};
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// Writes a file on rank 0 and reads it on every rank; the file is replaced, as a manifest is, where
// there is one.
json write_and_read(ThisRank& rank, const fs::path& file, const std::string& content) {
  constexpr std::string_view kPhase = "writing to the run folder";
  json facts = json::object();
  std::string problem;
  if (rank.group.rank() == 0) {
    problem = find_problem([&] {
      const Stopwatch watch;
      write_probe_file(file, content);
      facts = {{"commit_seconds", watch.seconds()},
               {"free_bytes", fs::space(file.parent_path()).available},
               {"file_system", file_system_name(file.parent_path())}};
    });
  }
  problem = rank.group.broadcast(problem, 0, kPhase);
  facts.update(problem.empty() ? read_facts(file, content) : json{{"write_problem", problem}});
  rank.group.barrier(kPhase);
  return facts;
}

// Whether this rank sees a lock that rank 0 has taken, as a run takes one on its folder.
bool sees_lock(ThisRank& rank, const fs::path& path) {
  constexpr std::string_view kPhase = "locking in the run folder";
  const bool is_root = rank.group.rank() == 0;
  const int file = ::open(path.c_str(), O_RDONLY);
  const bool has_lock = is_root && ::flock(file, LOCK_EX | LOCK_NB) == 0;
  const bool locked = rank.group.any(has_lock, kPhase);
  const bool refused = !is_root && ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  rank.group.barrier(kPhase);
  if (file >= 0) ::close(file);
  return locked && (is_root || refused);
}

// All that it makes is removed again.
json measure_folder(ThisRank& rank) {
  if (rank.request.out.empty()) return json::object();
  const fs::path file = rank.request.out / ".palimpsest-doctor.h5";
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::string mark = rank.group.broadcast(concat("doctor ", now), 0, "mark of the folder");
  std::vector<fs::path> missing;  // from the innermost
  const bool is_root = rank.group.rank() == 0;
  for (fs::path path = file.parent_path(); is_root && !path.empty() && !fs::exists(path);
       path = path.parent_path())
    missing.push_back(path);
  std::error_code ignored;
  if (is_root) fs::create_directories(file.parent_path(), ignored);  // the file says what is wrong
  json facts = write_and_read(rank, file, mark);
  if (!facts.contains("write_problem"))
    facts.update(write_and_read(rank, file, mark + ", once more"));
  facts["sees_lock"] = sees_lock(rank, file);
  if (is_root) fs::remove(file, ignored);
  for (const fs::path& made : missing) fs::remove(made, ignored);
  rank.group.barrier("leaving the run folder");
  return facts;
}

Judgement judge_folder(const RankFacts& ranks, const DoctorRequest& request) {
  if (request.out.empty()) return {Verdict::kSkipped, "--out FOLDER tries one"};
  if (ranks[0].contains("write_problem"))
    return {Verdict::kFailure, ranks.text(0, "write_problem")};
  const std::string where = concat(request.out.string(), " (", ranks.text(0, "file_system"), ")");
  std::vector<std::size_t> lockless;
  double delay = 0;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    delay = std::max(delay, ranks.number(rank, "folder_delay"));
    if (!ranks[rank].value("sees_lock", false)) lockless.push_back(rank);
    if (const std::string problem = ranks.text(rank, "folder_problem"); !problem.empty())
      return {Verdict::kFailure,
              concat(where, " is not what rank 0 wrote on ", ranks.name(rank), ": ", problem)};
  }
  if (!lockless.empty())
    return {Verdict::kWarning,
            concat(where, ": a lock of rank 0 is not seen on ", rank_list(lockless),
                   ": two runs into one folder would not notice each other")};
  return {Verdict::kOk,
          concat(where, ": written, synced and renamed in ",
                 fixed(1e3 * ranks.number(0, "commit_seconds"), 1), " ms, read on every rank",
                 delay > 0.1 ? concat(" after up to ", fixed(delay, 2), " s") : "")};
}

Judgement judge_space(const RankFacts& ranks, const DoctorRequest& request) {
  constexpr double kScarce = 1 << 30;
  if (!ranks[0].contains("free_bytes")) return {Verdict::kSkipped, "no folder was written to"};
  const double free = ranks.number(0, "free_bytes");
  return {free < kScarce ? Verdict::kWarning : Verdict::kOk,
          concat(byte_count(free), " free in ", request.out.string())};
}

}  // namespace

std::vector<Check> folder_checks() {
  return {
      {"run folder",
       "with --out: writes an HDF5 file as a run writes a record (sync, then rename), replaces it, "
       "and reads it on every rank; takes a lock on rank 0 that the others must see",
       "writable on rank 0, the same folder on every rank, with locks",
       "--out must be writable on rank 0 and seen by all nodes by the same path; mount it with "
       "locks (Lustre: flock), or set HDF5_USE_FILE_LOCKING=BEST_EFFORT",
       measure_folder, judge_folder},
      {"disk space", "free space of the file system there", "at least 1 GiB",
       "A run keeps every task's record: docs/slurm.md says how much", nullptr, judge_space},
  };
}

}  // namespace palimpsest
