#include "palimpsest/plan/forecast.h"

#include <algorithm>
#include <array>
#include <string>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// The vendor's data sheets: dense bf16 on tensor cores, fp32 on the others, memory; NVLink and the
// network in one direction.
constexpr std::array kDevices = {
    Device{.name = "a100",
           .fp32 = 19.5e12,
           .bf16 = 312e12,
           .memory = 80e9,
           .node_bandwidth = 300e9,
           .fleet_bandwidth = 25e9},
    Device{.name = "h100",
           .fp32 = 67e12,
           .bf16 = 989e12,
           .memory = 80e9,
           .node_bandwidth = 450e9,
           .fleet_bandwidth = 50e9},
    Device{.name = "h200",
           .fp32 = 67e12,
           .bf16 = 989e12,
           .memory = 141e9,
           .node_bandwidth = 450e9,
           .fleet_bandwidth = 50e9},
};

constexpr double kMessageSeconds = 5e-6;      // to start a message; assumed
constexpr double kMergeBytesPerSecond = 5e9;  // of one core through S0 and S1; assumed

std::int64_t rounded_up(std::int64_t count, std::int64_t parts) {
  return (count + parts - 1) / parts;
}

}  // namespace

Device published_device(std::string_view name) {
  std::string known;
  for (const Device& device : kDevices) {
    if (device.name == name) return device;
    known += concat(known.empty() ? "" : ", ", device.name);
  }
  throw UsageError(concat("--on ", name, " is not known; use one of ", known,
                          ", or cpu, whose rate is measured here"));
}

double exchanged_bytes(std::int64_t numbers, std::int64_t lanes, std::int64_t ranks, bool ordered) {
  const double others = static_cast<double>(ranks - 1) / static_cast<double>(ranks);
  const double own = ordered ? static_cast<double>(rounded_up(lanes, ranks)) : 1;
  return sizeof(float) * static_cast<double>(numbers) * others * (own + 1);
}

TaskForecast forecast(const TaskWork& work, const Operations& operations,
                      const ParameterCounts& parameters, const Device& device, std::int64_t ranks) {
  const double rate = device.share * (work.bf16 ? device.bf16 : device.fp32);
  const double bandwidth =
      ranks > device.ranks_per_node ? device.fleet_bandwidth : device.node_bandwidth;
  const auto exchange = [&](double bytes) {
    if (ranks == 1) return 0.0;
    return bytes / bandwidth + 2 * static_cast<double>(ranks - 1) * kMessageSeconds;
  };
  const auto pass = [&](std::int64_t samples, double per_sample) {
    return static_cast<double>(rounded_up(samples, ranks)) * per_sample / rate;
  };

  TaskForecast result;
  const std::int64_t busy_lanes = std::min(work.lanes, work.batch);
  result.idle_ranks = std::max<std::int64_t>(ranks - busy_lanes, 0);
  // The rank with the most lanes, each with the most samples that a lane has.
  const std::int64_t samples = rounded_up(busy_lanes, ranks) * rounded_up(work.batch, work.lanes);
  result.step_compute =
      static_cast<double>(std::min(samples, work.batch)) * operations.training / rate;
  result.step_exchange =
      exchange(exchanged_bytes(parameters.trained(), work.lanes, ranks, work.ordered));
  result.training = static_cast<double>(work.steps) * (result.step_compute + result.step_exchange);
  if (work.fisher_pass) {
    // Twice float32's bytes.
    result.fisher = pass(work.train_samples, operations.fisher) +
                    exchange(2 * exchanged_bytes(parameters.adapted, work.lanes, ranks, true));
    result.merge = 16 * static_cast<double>(parameters.adapted) / kMergeBytesPerSecond +
                   exchange(sizeof(float) * static_cast<double>(parameters.adapted));
  }
  if (work.loss_pass) result.fisher += pass(work.train_samples, operations.forward);
  result.evaluation = pass(work.test_samples, operations.forward);
  return result;
}

}  // namespace palimpsest
