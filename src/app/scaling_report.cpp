#include "scaling_report.h"

#include <vector>

#include "palimpsest/core/text.h"
#include "palimpsest/report/readable.h"

namespace palimpsest {
namespace {

std::string milliseconds(double seconds) {
  const double ms = 1e3 * seconds;
  return fixed(ms, ms < 0.995 ? 3 : ms < 99.5 ? 2 : 0);
}

std::string percent(double share) { return fixed(100 * share, 0) + " %"; }

// Why a step at `point` takes longer than its share of one rank's.
std::string reason(const ScalingPoint& point, Limit limit) {
  const StepForecast& step = point.time.step;
  const std::int64_t lanes = (point.work.lanes + point.ranks - 1) / point.ranks;
  switch (limit) {
    case Limit::kSamples:
      return point.time.idle_ranks > 0
                 ? concat("the batch is used up: ", point.time.idle_ranks,
                          " ranks have none of its ", point.work.batch, " samples")
                 : concat("the batch is not dealt evenly: of ", point.work.batch,
                          " samples the busiest rank has ", point.time.busy_samples);
    case Limit::kFixedWork:
      return concat("lanes are too small: ", milliseconds(step.fixed), " ms of a step's ",
                    milliseconds(step.seconds()), " are the same however few samples a lane has (",
                    point.time.busy_samples, " on a rank, in ", lanes,
                    lanes == 1 ? " lane)" : " lanes)");
    case Limit::kLatency:
      return concat("the exchange waits for messages: ", milliseconds(step.exchange.latency),
                    " ms of a step's ", milliseconds(step.seconds()),
                    ", however small the messages are");
    case Limit::kBandwidth:
      return concat("the exchange fills the network: ", milliseconds(step.exchange.transfer),
                    " ms of a step's ", milliseconds(step.seconds()), ", against ",
                    milliseconds(step.compute()), " of computation");
    case Limit::kInput:
      break;
  }
  return concat("samples come in too slowly: a step waits ", milliseconds(step.input),
                " ms of its ", milliseconds(step.seconds()));
}

}  // namespace

std::string scaling_table(const TaskWork& work, const ComputeCost& cost, const Machine& machine,
                          std::span<const std::int64_t> world_sizes, std::int64_t tasks) {
  std::vector<std::vector<std::string>> rows{{"ranks", "lanes", "idle", "step/ms", "compute",
                                              "exchange", "input", "efficiency", "training",
                                              "Fisher", "task", "stream"}};
  for (const std::int64_t ranks : world_sizes) {
    const ScalingPoint point = scaling_point(work, cost, machine, ranks);
    const TaskForecast& time = point.time;
    rows.push_back({grouped(ranks), grouped(point.work.lanes), grouped(time.idle_ranks),
                    milliseconds(time.step.seconds()), milliseconds(time.step.compute()),
                    milliseconds(time.step.exchange.seconds()), milliseconds(time.step.input),
                    percent(point.efficiency), duration(time.training), duration(time.fisher),
                    duration(time.seconds()),
                    duration(static_cast<double>(tasks) * time.seconds())});
  }
  return text_table(rows, "rrrrrrrrrrrr");
}

std::string scaling_sentence(const TaskWork& work, const ComputeCost& cost,
                             const Machine& machine) {
  const ScalingEnd end = scaling_end(work, cost, machine);
  if (end.beyond.ranks == 0) {
    return concat("It scales to ", grouped(kMostRanks), " ranks, as far as was looked: efficiency ",
                  percent(end.last.efficiency), ".");
  }
  return concat("It scales to ", grouped(end.last.ranks), end.last.ranks == 1 ? " rank" : " ranks",
                " (efficiency ", percent(end.last.efficiency), "). At ", grouped(end.beyond.ranks),
                " ranks efficiency is ", percent(end.beyond.efficiency), ", mostly since ",
                reason(end.beyond, end.limit), ". No step is shorter than that of ",
                grouped(end.fastest.ranks), end.fastest.ranks == 1 ? " rank" : " ranks", ", ",
                milliseconds(end.fastest.time.step.seconds()), " ms.");
}

}  // namespace palimpsest
