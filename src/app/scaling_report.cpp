#include <cmath>
#include <vector>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "planning.h"

namespace palimpsest {
namespace {

std::string milliseconds(double seconds) {
  const double ms = 1e3 * seconds;
  return fixed(ms, ms < 0.995 ? 3 : ms < 99.5 ? 2 : 0);
}

std::string efficiency(double share) { return percent(share, 0) + " %"; }

std::string time_of(double seconds) {
  constexpr double kMinute = 60;
  return seconds < kMinute ? fixed(seconds, 1) + " s" : duration(seconds);
}

std::string ranks_text(std::int64_t ranks) {
  return grouped(ranks) + (ranks == 1 ? " rank" : " ranks");
}

// Why a step takes longer than its share of one rank's.
std::string reason(const Workload& work, const Forecast& at, StepPart limit) {
  const std::string part =
      concat(milliseconds(at.parts[limit]), " ms of a step's ", milliseconds(at.step));
  switch (limit) {
    case kFixedWork:
      return concat("lanes are too small: ", part, " are the same however few samples a lane has (",
                    at.busy_samples, " on a rank, in ", counted(at.busy_lanes, "lane"), ")");
    case kLatency:
      return concat("the exchange waits for messages: ", part, ", however small they are");
    case kBandwidth:
      return concat("the exchange fills the network: ", part, ", against ",
                    milliseconds(at.parts[kSamples] + at.parts[kFixedWork]), " of computation");
    case kInput:
      return concat("the input is too slow: a step waits for samples ", part);
    default:
      return at.idle_ranks > 0 ? concat("the batch is used up: ", at.idle_ranks,
                                        " ranks have none of its ", work.batch, " samples")
                               : concat("the batch is not split evenly: of ", work.batch,
                                        " samples the busiest rank has ", at.busy_samples);
  }
}

std::string scaling_sentence(const Workload& work, const ScalingEnd& end) {
  if (end.beyond.ranks == 0)
    return concat("It scales to ", ranks_text(kMostRanks), ", as far as was looked: efficiency ",
                  efficiency(end.last.efficiency), ".");
  return concat("It scales to ", ranks_text(end.last.ranks), " (efficiency ",
                efficiency(end.last.efficiency), "). At ", ranks_text(end.beyond.ranks),
                " efficiency is ", efficiency(end.beyond.efficiency), ", mostly since ",
                reason(work, end.beyond, end.limit), ". No step is shorter than that of ",
                ranks_text(end.fastest.ranks), ", ", milliseconds(end.fastest.step), " ms.");
}

}  // namespace

std::string scaling_report(const Workload& work, const ComputeCost& cost, const Machine& machine,
                           std::span<const std::int64_t> world_sizes) {
  const bool is_decoder = work.model.output > 0;  // its speed is tokens a second
  Rows rows{{"ranks", "lanes", "idle", "step/ms", "compute", "exchange", "input", "efficiency",
             "training", "Fisher", "task", "stream"}};
  if (is_decoder) rows.front().push_back("tokens/s");
  for (const std::int64_t ranks : world_sizes) {
    const Forecast at = forecast(work, cost, machine, ranks);
    rows.push_back({grouped(ranks), grouped(at.lanes), grouped(at.idle_ranks),
                    milliseconds(at.step), milliseconds(at.parts[kSamples] + at.parts[kFixedWork]),
                    milliseconds(at.parts[kLatency] + at.parts[kBandwidth]),
                    milliseconds(at.parts[kInput]), efficiency(at.efficiency), time_of(at.training),
                    time_of(at.fisher), time_of(at.task),
                    time_of(static_cast<double>(work.tasks) * at.task)});
    const double tokens = static_cast<double>(work.batch) * work.mean_tokens;
    if (is_decoder) rows.back().push_back(grouped(std::llround(tokens / at.step)));
  }
  return concat(text_table(rows, std::string(rows.front().size(), 'r')), "\n",
                wrap(scaling_sentence(work, scaling_end(work, cost, machine)), 100, 0, 0), "\n");
}

}  // namespace palimpsest
