#pragma once
// What doctor tries with all ranks together. Every function is collective, and each of its
// exchanges is a phase of the watchdog.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/comm/collectives.h"
#include "palimpsest/comm/host_group.h"

namespace palimpsest {

// Of a rank's clock against that of rank 0, in seconds: the truth lies within `uncertainty`.
struct ClockOffset {
  double offset = 0;
  double uncertainty = 0;
};

// A question sent and answered: both clocks in seconds.
struct RoundTrip {
  double sent = 0, answered = 0, received = 0;
};

// From the shortest of the trips: an answer came at a moment between its question and its arrival.
ClockOffset offset_from(std::span<const RoundTrip> trips);

// By rank, on rank 0; empty elsewhere. `collectives` are those of host memory.
std::vector<ClockOffset> clock_offsets(Collectives& collectives);

// As nccl-tests defines them, in bytes per second: bytes of one rank's buffer over the time; and
// times 2(n-1)/n, the share of a link's bandwidth that is used whatever the number of ranks.
double algorithm_bandwidth(double bytes, double seconds);
double bus_bandwidth(double bytes, double seconds, int ranks);

struct AllReduceTiming {
  std::size_t bytes = 0;
  double seconds = 0;  // of the slowest rank
};

struct AllReduceReport {
  std::vector<AllReduceTiming> timings;     // by rising size
  std::vector<std::int64_t> wrong_by_rank;  // sums that were wrong; on rank 0 alone
};

// Memory of `capacity` float32 where the collectives work, and how the host reaches it.
struct Workspace {
  void* data = nullptr;
  void* stream = nullptr;
  std::size_t capacity = 0;
  std::function<void(std::span<const float>)> put;
  std::function<void(std::span<float>)> get;
};

// Sums whose values are known, then the time, from 4 KiB to the workspace's capacity; sizes that
// would take longer than some seconds are left out.
AllReduceReport time_all_reduce(Collectives& collectives, HostGroup& group,
                                const Workspace& workspace);

// Rank 0's work in the run folder.
struct FolderReport {
  std::string problem;        // empty where everything worked
  std::string file_system;    // "nfs", "lustre", ...
  double commit_seconds = 0;  // write, fsync, rename, fsync of the folder
  std::int64_t free_bytes = 0;
};

// What a rank sees of it.
struct FolderView {
  std::string problem;  // empty where the file was read, with what was written last
  double delay = 0;     // seconds until then
  bool sees_lock = true;
};

// Writes a file as a run does, replaces it, reads it on every rank, and tries whether a lock of
// rank 0 is seen by the others. All that it makes is removed again. On rank 0 the views of all, by
// rank; elsewhere empty.
FolderReport try_folder(const std::filesystem::path& folder, HostGroup& group,
                        std::vector<FolderView>& views);

}  // namespace palimpsest
