#include <algorithm>

#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/doctor/measure.h"

namespace palimpsest {
namespace {

constexpr std::string_view kAllReducePhase = "timing of an all-reduce";
constexpr std::size_t kSmallest = 4096, kFactor = 16;  // bytes
constexpr double kEnough = 0.1;                        // seconds that one size is repeated for
constexpr double kTooLong = 1;                         // for one all-reduce
constexpr double kMostRepetitions = 100;

// Small whole numbers, so that sums in any order are exact.
float value_at(std::size_t index, int rank) {
  return static_cast<float>((static_cast<std::size_t>(rank) + 1) * (index % 17));
}

float sum_at(std::size_t index, int ranks) {
  return static_cast<float>(static_cast<std::size_t>(ranks * (ranks + 1) / 2) * (index % 17));
}

double slowest(double seconds, HostGroup& group) {
  constexpr double kNano = 1e-9;
  return kNano * static_cast<double>(
                     group.max(static_cast<std::int64_t>(seconds / kNano), kAllReducePhase));
}

void reduce(Collectives& collectives, const Workspace& workspace, std::size_t count) {
  collectives.all_reduce_sum({workspace.data, count, DataType::kFloat32, workspace.stream});
}

std::int64_t wrong_sums(Collectives& collectives, const Workspace& workspace, std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = value_at(i, collectives.rank());
  workspace.put(values);
  reduce(collectives, workspace, count);
  collectives.wait(workspace.stream);
  workspace.get(values);
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    wrong += values[i] == sum_at(i, collectives.size()) ? 0 : 1;
  }
  return wrong;
}

double seconds_of(Collectives& collectives, HostGroup& group, const Workspace& workspace,
                  std::size_t count, int repetitions) {
  group.barrier(kAllReducePhase);
  const Stopwatch watch;
  for (int i = 0; i < repetitions; ++i) reduce(collectives, workspace, count);
  collectives.wait(workspace.stream);
  return slowest(watch.seconds(), group) / repetitions;
}

double timed(Collectives& collectives, HostGroup& group, const Workspace& workspace,
             std::size_t count) {
  workspace.put(std::vector<float>(count));  // sums of zeros stay finite
  // The first may have waited for a rank that was not scheduled.
  const double first = seconds_of(collectives, group, workspace, count, 1);
  const double once = std::min(first, seconds_of(collectives, group, workspace, count, 1));
  const double repetitions = std::clamp(kEnough / once, 1.0, kMostRepetitions);
  return seconds_of(collectives, group, workspace, count, static_cast<int>(repetitions));
}

}  // namespace

double algorithm_bandwidth(double bytes, double seconds) { return bytes / seconds; }

double bus_bandwidth(double bytes, double seconds, int ranks) {
  return algorithm_bandwidth(bytes, seconds) * 2 * (ranks - 1) / ranks;
}

AllReduceReport time_all_reduce(Collectives& collectives, HostGroup& group,
                                const Workspace& workspace) {
  AllReduceReport report;
  std::int64_t wrong = 0;
  const std::size_t capacity = workspace.capacity * sizeof(float);
  for (std::size_t bytes = std::min(kSmallest, capacity);;
       bytes = std::min(bytes * kFactor, capacity)) {
    const std::size_t count = bytes / sizeof(float);
    wrong += wrong_sums(collectives, workspace, count);
    const double seconds = timed(collectives, group, workspace, count);
    report.timings.push_back({bytes, seconds});
    if (bytes == capacity || seconds * static_cast<double>(kFactor) > kTooLong) break;
  }
  for (const std::string& text : group.gather(std::to_string(wrong), kAllReducePhase)) {
    report.wrong_by_rank.push_back(std::stoll(text));
  }
  return report;
}

}  // namespace palimpsest
