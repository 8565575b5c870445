#include "palimpsest/plan/forecast.h"

#include <algorithm>

#include "counts.h"

namespace palimpsest {
namespace {

ExchangeCost gradient_exchange(const TaskWork& work, const Machine& machine, std::int64_t ranks) {
  const double bytes = sizeof(float) * number(work.trained);
  return work.ordered ? ordered_exchange(bytes, work.lanes, ranks, machine)
                      : all_reduce(bytes, ranks, machine);
}

}  // namespace

ComputeCost cost_at_rate(const Operations& operations, double rate) {
  return {.step = 0,
          .lane = 0,
          .sample = operations.training / rate,
          .fisher = operations.fisher / rate,
          .forward = operations.forward / rate,
          .input = 0};
}

TaskWork over_ranks(TaskWork work, std::int64_t ranks) {
  work.lanes = work.ordered ? std::max(work.lanes, ranks) : ranks;
  return work;
}

TaskForecast forecast(const TaskWork& work, const ComputeCost& cost, const Machine& machine,
                      std::int64_t ranks) {
  // Reading `own` samples while all ranks read `all`.
  const auto input = [&](std::int64_t own, std::int64_t all) {
    const double shared =
        machine.shared_input_rate > 0 ? number(all) / machine.shared_input_rate : 0;
    return std::max(number(own) * cost.input, shared);
  };
  const auto pass = [&](std::int64_t samples, double per_sample) {
    const std::int64_t own = rounded_up(samples, ranks);
    return number(own) * per_sample + input(own, samples);
  };

  TaskForecast result;
  const std::int64_t busy_lanes = std::min(work.lanes, work.batch);
  result.idle_ranks = std::max<std::int64_t>(ranks - busy_lanes, 0);
  // The rank with the most lanes, each with the most samples that a lane has.
  const std::int64_t own_lanes = rounded_up(busy_lanes, ranks);
  result.busy_samples = std::min(own_lanes * rounded_up(work.batch, work.lanes), work.batch);

  StepForecast& step = result.step;
  step.samples = number(result.busy_samples) * cost.sample;
  step.fixed = cost.step + number(own_lanes) * cost.lane;
  step.input = input(result.busy_samples, work.batch);
  step.exchange = gradient_exchange(work, machine, ranks);
  step.exchange.latency += agreement(ranks, machine).latency;

  result.training = number(work.steps) * step.seconds();
  if (work.fisher_pass) {
    const double weights = number(work.adapted);
    result.fisher =
        pass(work.train_samples, cost.fisher) +
        ordered_exchange(sizeof(double) * weights, work.lanes, ranks, machine).seconds();
    result.merge = 2 * sizeof(double) * weights / machine.merge_bandwidth +
                   broadcast(sizeof(float) * weights, ranks, machine).seconds();
  }
  result.merge += work.merge_passes * pass(work.train_samples, cost.forward);
  if (work.loss_pass) result.fisher += pass(work.train_samples, cost.forward);
  result.evaluation = 2 * pass(work.test_samples, cost.forward);  // before the merge, and after it
  return result;
}

}  // namespace palimpsest
