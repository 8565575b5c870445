#include "palimpsest/plan/scaling.h"

#include <algorithm>
#include <array>
#include <utility>

namespace palimpsest {

ScalingPoint scaling_point(const TaskWork& work, const ComputeCost& cost, const Machine& machine,
                           std::int64_t ranks) {
  const double alone = forecast(over_ranks(work, 1), cost, machine, 1).step.seconds();
  ScalingPoint point{.ranks = ranks, .work = over_ranks(work, ranks), .time = {}};
  point.time = forecast(point.work, cost, machine, ranks);
  point.efficiency = alone / (static_cast<double>(ranks) * point.time.step.seconds());
  return point;
}

Limit limit_at(const ScalingPoint& point, const ScalingPoint& alone) {
  const StepForecast& now = point.time.step;
  const StepForecast& then = alone.time.step;
  const auto ranks = static_cast<double>(point.ranks);
  const std::array<std::pair<double, Limit>, 5> lost = {
      std::pair{now.samples - then.samples / ranks, Limit::kSamples},
      std::pair{now.fixed - then.fixed / ranks, Limit::kFixedWork},
      std::pair{now.exchange.latency, Limit::kLatency},
      std::pair{now.exchange.transfer, Limit::kBandwidth},
      std::pair{now.input - then.input / ranks, Limit::kInput}};
  return std::ranges::max_element(lost, {}, &std::pair<double, Limit>::first)->second;
}

ScalingEnd scaling_end(const TaskWork& work, const ComputeCost& cost, const Machine& machine) {
  const ScalingPoint alone = scaling_point(work, cost, machine, 1);
  ScalingEnd end{.last = alone, .beyond = {.ranks = 0, .work = {}, .time = {}}, .fastest = alone};
  for (std::int64_t ranks = 2; ranks <= kMostRanks; ranks *= 2) {
    const ScalingPoint point = scaling_point(work, cost, machine, ranks);
    const bool is_faster = point.time.step.seconds() < end.fastest.time.step.seconds();
    if (is_faster) end.fastest = point;
    if (end.beyond.ranks > 0) continue;
    if (is_faster && point.efficiency >= kEfficient) {
      end.last = point;
    } else {
      end.beyond = point;
      end.limit = limit_at(point, alone);
    }
  }
  return end;
}

}  // namespace palimpsest
