#pragma once
// How a step's time falls as ranks are added, up to where it stops, and why it does.
#include <cstdint>

#include "palimpsest/plan/forecast.h"

namespace palimpsest {

// What keeps more ranks from being faster.
enum class Limit {
  kSamples,    // the batch is used up, or not dealt evenly
  kFixedWork,  // computation of a step or lane that more ranks don't share
  kLatency,    // of the exchange
  kBandwidth,  // of the exchange
  kInput,      // samples don't come in faster
};

struct ScalingPoint {
  std::int64_t ranks = 1;
  TaskWork work;  // with the lanes at this number of ranks
  TaskForecast time;
  double efficiency = 1;  // time of a step on one rank, over ranks times the time of a step
};

ScalingPoint scaling_point(const TaskWork& work, const ComputeCost& cost, const Machine& machine,
                           std::int64_t ranks);

// What the largest part of the time lost comes from: of a step's time at `point`, beyond that on
// one rank divided by the ranks.
Limit limit_at(const ScalingPoint& point, const ScalingPoint& alone);

inline constexpr double kEfficient = 0.5;
inline constexpr std::int64_t kMostRanks = 4096;  // as far as is looked

// Over 1, 2, 4, ... kMostRanks ranks.
struct ScalingEnd {
  ScalingPoint last;  // before `beyond`: efficient
  ScalingPoint
      beyond;  // the first that is less efficient than kEfficient, or no faster; ranks 0: none is
  Limit limit = Limit::kSamples;  // at `beyond`
  ScalingPoint fastest;           // the fewest ranks with the shortest step
};

ScalingEnd scaling_end(const TaskWork& work, const ComputeCost& cost, const Machine& machine);

}  // namespace palimpsest
