// What clocks, exchanges and the run folder showed.
#include <algorithm>
#include <cmath>

#include "palimpsest/core/text.h"
#include "palimpsest/doctor/judge.h"
#include "palimpsest/report/readable.h"

namespace palimpsest {
namespace {

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fixed(1e6 * seconds, seconds < 1e-5 ? 1 : 0) + " us";
  if (seconds < 1) return fixed(1e3 * seconds, seconds < 1e-1 ? 1 : 0) + " ms";
  return fixed(seconds, 2) + " s";
}

std::string rate_text(double bytes_per_second) {
  return fixed(bytes_per_second / 1e9, bytes_per_second < 1e10 ? 2 : 1) + " GB/s";
}

std::string size_text(std::size_t bytes) {
  return bytes < (std::size_t{1} << 20) ? concat(bytes >> 10, " KiB") : concat(bytes >> 20, " MiB");
}

}  // namespace

Finding judge_clocks(AllFacts ranks, std::span<const ClockOffset> offsets) {
  constexpr double kTolerated = 0.25;  // seconds: heartbeats are compared to half a second
  if (ranks.size() == 1) return {Verdict::kSkipped, "clocks", "one rank", ""};
  // What a clock is off at least: the way of a message may hide the rest.
  const auto at_least = [](const ClockOffset& each) {
    return std::abs(each.offset) - each.uncertainty;
  };
  const auto worst = std::ranges::max_element(offsets.subspan(1), {}, at_least);
  const std::string who =
      rank_name(ranks, static_cast<std::size_t>(worst - offsets.subspan(1).begin()) + 1);
  if (at_least(*worst) <= kTolerated) {
    return {Verdict::kOk, "clocks",
            concat("at most ", time_text(std::abs(worst->offset) + worst->uncertainty),
                   " off that of rank 0, on ", who),
            ""};
  }
  return {Verdict::kWarning, "clocks",
          concat(time_text(std::abs(worst->offset)), worst->offset < 0 ? " behind" : " before",
                 " that of rank 0 (+-", time_text(worst->uncertainty), ") on ", who),
          "Logs and heartbeats of this host are out of order: synchronise it (chrony, NTP)"};
}

Finding judge_all_reduce(AllFacts ranks, std::string_view transport,
                         const AllReduceReport& report) {
  const std::string check = concat("all-reduce ", transport);
  std::string wrong;
  for (std::size_t rank = 0; rank < report.wrong_by_rank.size(); ++rank) {
    if (report.wrong_by_rank[rank] == 0) continue;
    wrong += concat(wrong.empty() ? "" : ", ", report.wrong_by_rank[rank], " on ",
                    rank_name(ranks, rank));
  }
  if (!wrong.empty()) {
    return {Verdict::kFailure, check, "sums are wrong: " + wrong,
            "Don't train on this: a device, its memory or the network is broken (dcgmi diag, "
            "NCCL_DEBUG=INFO)"};
  }
  std::string found;
  for (const AllReduceTiming& timing : report.timings) {
    found +=
        concat(found.empty() ? "" : ", ", size_text(timing.bytes), " ", time_text(timing.seconds));
  }
  const auto bytes = static_cast<double>(report.timings.back().bytes);
  const double seconds = report.timings.back().seconds;
  return {Verdict::kOk, check,
          concat(found, ": algorithm bandwidth ", rate_text(algorithm_bandwidth(bytes, seconds)),
                 ", bus bandwidth ",
                 rate_text(bus_bandwidth(bytes, seconds, static_cast<int>(ranks.size()))),
                 "; sums are right"),
          ""};
}

std::vector<Finding> judge_folder(AllFacts ranks, const DoctorRequest& request,
                                  const FolderReport& report, std::span<const FolderView> views) {
  constexpr std::int64_t kScarce = std::int64_t{1} << 30;
  const std::string folder = request.out.string();
  const std::string where = concat(folder, " (", report.file_system, ")");
  if (!report.problem.empty()) {
    return {{Verdict::kFailure, "run folder", report.problem,
             "The run folder must be writable on rank 0; where its file system has no locks, set "
             "HDF5_USE_FILE_LOCKING=BEST_EFFORT"},
            {Verdict::kSkipped, "disk space", "the run folder can't be used", ""}};
  }
  std::string unseen;
  std::vector<std::size_t> lockless;
  double delay = 0;
  for (std::size_t rank = 0; rank < views.size(); ++rank) {
    delay = std::max(delay, views[rank].delay);
    if (!views[rank].sees_lock) lockless.push_back(rank);
    if (!views[rank].problem.empty() && unseen.empty()) {
      unseen = concat(rank_name(ranks, rank), ": ", views[rank].problem);
    }
  }
  Finding finding{Verdict::kOk, "run folder",
                  concat(where, ": written, synced and renamed in ",
                         time_text(report.commit_seconds), ", read on every rank"),
                  ""};
  if (delay > 0.1) finding.found += concat(" after up to ", time_text(delay));
  if (!unseen.empty()) {
    finding = {
        Verdict::kFailure, "run folder", concat(where, " is not what rank 0 wrote on ", unseen),
        "--out must be on a file system that all nodes see by the same path; where it has no "
        "locks, set HDF5_USE_FILE_LOCKING=BEST_EFFORT"};
  } else if (!lockless.empty()) {
    finding = {Verdict::kWarning, "run folder",
               concat(where, ": a lock that rank 0 holds is not seen on ", rank_list(lockless)),
               "Two runs into one folder would not notice each other: mount it with locks (Lustre: "
               "flock), or take care"};
  }
  const std::string space =
      concat(byte_count(static_cast<double>(report.free_bytes)), " free in ", folder);
  return {finding,
          report.free_bytes < kScarce
              ? Finding{Verdict::kWarning, "disk space", space,
                        "A run keeps every task's record: palimpsest plan and docs/cluster.md say "
                        "how much"}
              : Finding{Verdict::kOk, "disk space", space, ""}};
}

}  // namespace palimpsest
