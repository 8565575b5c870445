#include "palimpsest/plan/forecast.h"

#include <algorithm>
#include <numeric>

#include "palimpsest/plan/exchange.h"

namespace palimpsest {

ComputeCost cost_at_rate(const Operations& operations, double rate) {
  return {.sample = operations.training / rate,
          .fisher = operations.fisher / rate,
          .forward = operations.forward / rate};
}

Forecast forecast(const Workload& work, const ComputeCost& cost, const Machine& machine,
                  std::int64_t ranks) {
  // Reading `own` samples while all ranks read `all`.
  const auto input = [&](std::int64_t own, std::int64_t all) {
    const double shared =
        machine.shared_input_rate > 0 ? static_cast<double>(all) / machine.shared_input_rate : 0;
    return std::max(static_cast<double>(own) * cost.input, shared);
  };
  const auto pass = [&](std::int64_t samples, double per_sample) {
    const std::int64_t own = largest_share(samples, ranks);
    return static_cast<double>(own) * per_sample + input(own, samples);
  };

  Forecast result{.ranks = ranks, .lanes = over_ranks(work, ranks).lanes};
  const std::int64_t used_lanes = std::min(result.lanes, work.batch);
  result.idle_ranks = std::max<std::int64_t>(ranks - used_lanes, 0);
  // The rank with the most lanes, each with the most samples that a lane has.
  result.busy_lanes = largest_share(used_lanes, ranks);
  result.busy_samples =
      std::min(result.busy_lanes * largest_share(work.batch, result.lanes), work.batch);

  const double gradient = sizeof(float) * static_cast<double>(work.trained());
  const ExchangeCost exchange = work.ordered
                                    ? ordered_exchange(gradient, result.lanes, ranks, machine)
                                    : all_reduce(gradient, ranks, machine);
  result.parts[kSamples] = static_cast<double>(result.busy_samples) * cost.sample;
  result.parts[kFixedWork] = cost.step + static_cast<double>(result.busy_lanes) * cost.lane;
  result.parts[kLatency] = exchange.latency + agreement(ranks, machine).latency;
  result.parts[kBandwidth] = exchange.transfer;
  result.parts[kInput] = input(result.busy_samples, work.batch);
  result.step = std::accumulate(result.parts.begin(), result.parts.end(), 0.0);
  if (ranks > 1)
    result.efficiency =
        forecast(work, cost, machine, 1).step / (static_cast<double>(ranks) * result.step);

  result.training = work.learning * work.steps * result.step;
  if (work.fisher) {
    const auto adapted = static_cast<double>(work.adapted);
    double exchanged = 0;
    if (work.shard_memory) {  // after each pass over a chunk of every rank
      const std::int64_t chunk = largest_share(work.batch, result.lanes);
      const std::int64_t rounds =
          largest_share(static_cast<std::int64_t>(work.measured_samples), chunk * ranks);
      exchanged = static_cast<double>(rounds) *
                  to_owners(sizeof(float) * adapted, ranks, machine).seconds();
    } else {
      exchanged =
          ordered_exchange(sizeof(double) * adapted, result.lanes, ranks, machine).seconds();
    }
    result.fisher = work.learning * (pass(work.measured_samples, cost.fisher) + exchanged);
  }
  result.task = result.training + result.fisher +
                work.forwards * pass(work.train_samples, cost.forward) +
                work.measured_forwards * pass(work.measured_samples, cost.forward) +
                pass(work.tested_samples + work.tested_besides, cost.forward) +
                work.classifier_operations * cost.operation;
  return result;
}

ScalingEnd scaling_end(const Workload& work, const ComputeCost& cost, const Machine& machine) {
  const Forecast alone = forecast(work, cost, machine, 1);
  ScalingEnd end{.last = alone, .fastest = alone};
  for (std::int64_t ranks = 2; ranks <= kMostRanks; ranks *= 2) {
    const Forecast point = forecast(work, cost, machine, ranks);
    const bool is_faster = point.step < end.fastest.step;
    if (is_faster) end.fastest = point;
    if (end.beyond.ranks > 0) continue;
    if (is_faster && point.efficiency >= kEfficient) {
      end.last = point;
      continue;
    }
    end.beyond = point;
    const auto lost = [&](std::size_t part) {  // beyond its share of one rank's time
      return point.parts[part] - alone.parts[part] / static_cast<double>(ranks);
    };
    for (const StepPart part : {kFixedWork, kLatency, kBandwidth, kInput})
      if (lost(part) > lost(end.limit)) end.limit = part;
  }
  return end;
}

}  // namespace palimpsest
