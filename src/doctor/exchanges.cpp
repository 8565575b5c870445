// Checks of what ranks send to one another: clocks, and all-reduces on host and devices.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>

#include "palimpsest/comm/collectives.h"
#include "palimpsest/comm/nccl.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/doctor/check.h"

namespace palimpsest {
namespace {

using nlohmann::json;

double clock_seconds() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Every rank reads its clock between two barriers, and before and after both.
json measure_clocks(ThisRank& rank) {
  json rounds = json::array();
  for (int round = 0; round < 10; ++round) {
    const double before = clock_seconds();
    rank.group.barrier("comparing clocks");
    const double between = clock_seconds();
    rank.group.barrier("comparing clocks");
    rounds.push_back({before, between, clock_seconds()});
  }
  return {{"clocks", rounds}};
}

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fixed(1e6 * seconds, seconds < 1e-5 ? 1 : 0) + " us";
  if (seconds < 1) return fixed(1e3 * seconds, seconds < 1e-1 ? 1 : 0) + " ms";
  return fixed(seconds, 2) + " s";
}

// A rank's reading came between rank 0's first and last one: the shortest round bounds the offset
// best.
Judgement judge_clocks(const RankFacts& ranks, const DoctorRequest&) {
  constexpr double kTolerated = 0.25;  // seconds: heartbeats are compared to half a second
  if (ranks.size() == 1) return {Verdict::kSkipped, "one rank"};
  using Rounds = std::vector<std::array<double, 3>>;
  const auto own = ranks[0].value("clocks", Rounds());
  const auto best = std::ranges::min_element(own, {}, [](const auto& r) { return r[2] - r[0]; });
  const double uncertainty = ((*best)[2] - (*best)[0]) / 2;
  double worst = 0;
  std::size_t who = 1;
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    const auto rounds = ranks[rank].value("clocks", Rounds(own.size()));
    const double offset =
        rounds[static_cast<std::size_t>(best - own.begin())][1] - ((*best)[0] + (*best)[2]) / 2;
    if (std::abs(offset) <= std::abs(worst)) continue;
    worst = offset;
    who = rank;
  }
  if (std::abs(worst) - uncertainty <= kTolerated)
    return {Verdict::kOk, concat("at most ", time_text(std::abs(worst) + uncertainty),
                                 " off that of rank 0, on ", ranks.name(who))};
  return {Verdict::kWarning,
          concat(time_text(std::abs(worst)), worst < 0 ? " behind" : " before",
                 " that of rank 0 (+-", time_text(uncertainty), ") on ", ranks.name(who))};
}

// Memory where the collectives work; `copy` knows host memory, too.
struct Workspace {
  void* data = nullptr;
  void* stream = nullptr;
  std::function<void(void* to, const void* from, std::size_t bytes)> copy;
};

// Sums whose values are known, then the time, from 4 KiB to the largest size; sizes that would take
// longer than a second are left out. As nccl-tests defines them, in bytes per second: the algorithm
// bandwidth is bytes of one rank's buffer over the time, the bus bandwidth that times 2(n-1)/n.
json time_all_reduces(Collectives& collectives, ThisRank& rank, const Workspace& space) {
  constexpr std::size_t kSmallest = 4096, kFactor = 16;
  constexpr double kEnough = 0.1, kTooLong = 1, kMostRepetitions = 100, kNano = 1e-9;
  const std::size_t largest = rank.request.largest_all_reduce / sizeof(float) * sizeof(float);
  const int ranks = collectives.size();
  const auto measure_seconds = [&](std::size_t count, int repetitions) {
    rank.group.barrier("timing of an all-reduce");
    const Stopwatch watch;
    for (int i = 0; i < repetitions; ++i)
      collectives.all_reduce_sum({space.data, count, DataType::kFloat32, space.stream});
    collectives.wait(space.stream);
    const auto nanoseconds = static_cast<std::int64_t>(watch.seconds() / kNano);
    return kNano * static_cast<double>(rank.group.max(nanoseconds, "timing of an all-reduce")) /
           repetitions;
  };
  // Small whole numbers, so that sums in any order are exact.
  const auto term = [](std::size_t i, int factor) {
    return static_cast<float>(static_cast<std::size_t>(factor) * (i % 17));
  };
  json timings = json::array();
  std::int64_t wrong = 0;
  for (std::size_t bytes = std::min(kSmallest, largest);;
       bytes = std::min(bytes * kFactor, largest)) {
    std::vector<float> values(bytes / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = term(i, collectives.rank() + 1);
    space.copy(space.data, values.data(), bytes);
    measure_seconds(values.size(), 1);
    space.copy(values.data(), space.data, bytes);
    for (std::size_t i = 0; i < values.size(); ++i)
      wrong += values[i] == term(i, ranks * (ranks + 1) / 2) ? 0 : 1;
    std::ranges::fill(values, 0.0F);  // sums of zeros stay finite
    space.copy(space.data, values.data(), bytes);
    // The first may have waited for a rank that was not scheduled.
    const double first = measure_seconds(values.size(), 1);
    const double once = std::min(first, measure_seconds(values.size(), 1));
    const double repetitions = std::clamp(kEnough / once, 1.0, kMostRepetitions);
    const double seconds = measure_seconds(values.size(), static_cast<int>(repetitions));
    const double bandwidth = static_cast<double>(bytes) / seconds;
    timings.push_back({{"transport", collectives.name()},
                       {"bytes", bytes},
                       {"seconds", seconds},
                       {"algorithm_bandwidth", bandwidth},
                       {"bus_bandwidth", bandwidth * 2 * (ranks - 1) / ranks}});
    if (bytes == largest || seconds * static_cast<double>(kFactor) > kTooLong) break;
  }
  const std::string name = concat("all-reduce ", collectives.name());
  return {{name, timings}, {name + " wrong", wrong}};
}

json measure_mpi_all_reduce(ThisRank& rank) {
  if (rank.group.size() == 1) return json::object();
  std::vector<char> memory(rank.request.largest_all_reduce);
  return time_all_reduces(*make_mpi_collectives(rank.watchdog), rank,
                          {.data = memory.data(), .stream = nullptr, .copy = std::memcpy});
}

json measure_nccl_all_reduce(ThisRank& rank) {
  if (rank.devices.empty()) return json::object();
  const CudaApi& api = *rank.request.cuda.api;
  const auto me = static_cast<std::size_t>(rank.group.rank());
  announce_shared_devices(rank.devices, rank.group.rank());
  const auto collectives = make_nccl_collectives(api.nccl, rank.group, rank.watchdog);
  const auto check = [&](int result, std::string_view what) {
    if (result != 0) throw Error(concat("cannot ", what, ": ", api.error_string(result)));
  };
  void* data = nullptr;
  check(api.probe.allocate(&data, rank.request.largest_all_reduce), "allocate device memory");
  const std::unique_ptr<void, int (*)(void*)> owner(data, api.probe.release);
  return time_all_reduces(*collectives, rank,
                          {.data = data,
                           .stream = api.current_stream(rank.devices[me].index),
                           .copy = [&](void* to, const void* from, std::size_t bytes) {
                             check(api.probe.copy(to, from, bytes), "copy to or from the device");
                           }});
}

Judgement judge_all_reduce(const RankFacts& ranks, const std::string& check,
                           const std::string& skipped) {
  const json timings = ranks[0].value(check, json::array());
  if (timings.empty()) return {Verdict::kSkipped, skipped};
  std::string wrong, found;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const double sums = ranks.number(rank, check + " wrong");
    if (sums > 0) wrong += concat(wrong.empty() ? "" : ", ", sums, " on ", ranks.name(rank));
  }
  if (!wrong.empty()) return {Verdict::kFailure, "sums are wrong: " + wrong};
  for (const json& timing : timings) {
    found += concat(found.empty() ? "" : ", ", byte_count(timing["bytes"], 0), " ",
                    time_text(timing["seconds"]));
  }
  const auto rate = [&](const char* name) {
    return fixed(timings.back().value(name, 0.0) / 1e9, 2) + " GB/s";
  };
  return {Verdict::kOk, concat(found, ": algorithm bandwidth ", rate("algorithm_bandwidth"),
                               ", bus bandwidth ", rate("bus_bandwidth"), "; sums are right")};
}

}  // namespace

std::vector<Check> exchange_checks() {
  return {
      {"clocks", "offset from rank 0's, bounded by the shortest of ten rounds",
       "at most a quarter of a second",
       "Logs and heartbeats of this host are out of order: synchronise it (chrony, NTP)",
       measure_clocks, judge_clocks},
      {"all-reduce mpi", "float32 sums from 4 KiB to 64 MiB, in host memory", "right sums",
       "Don't train on this: memory or the network is broken", measure_mpi_all_reduce,
       [](const RankFacts& ranks, const DoctorRequest&) {
         return judge_all_reduce(ranks, "all-reduce mpi", "one rank");
       }},
      {"all-reduce nccl", "the same on the devices", "right sums",
       "Don't train on this: a device, its memory or the network is broken (dcgmi diag). "
       "NCCL_DEBUG=INFO shows what NCCL tried; see NCCL's variables in docs/gpus.md",
       measure_nccl_all_reduce,
       [](const RankFacts& ranks, const DoctorRequest&) {
         return judge_all_reduce(ranks, "all-reduce nccl", "no devices, or they can't be used");
       }},
  };
}

}  // namespace palimpsest
