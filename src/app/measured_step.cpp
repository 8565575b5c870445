#include "measured_step.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "palimpsest/comm/collectives.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/device/streams.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

constexpr double kSeconds = 2;               // of measuring each kind of step
constexpr std::size_t kFewest = 3;           // steps; the first is not counted
constexpr std::int64_t kEpochs = 1'000'000;  // more than the clock lets through

struct TimeIsUp {};

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

// The session trains on its first task, every rank by itself, without moving the weights.
void prepare(Session& session) {
  session.placement.collectives = make_single_collectives();
  session.config.drop_last = true;  // all batches are whole
  session.config.epochs = kEpochs;
  session.config.lr = session.config.head_lr = 0;
}

double slowest(const Session& session, double seconds) {
  constexpr double kNano = 1e-9;
  return kNano * static_cast<double>(session.group.max(static_cast<std::int64_t>(seconds / kNano),
                                                       "agreement on a measurement"));
}

// The median step over `lanes` lanes of `samples` samples each.
double step_seconds(Session& session, std::int64_t lanes, std::int64_t samples) {
  session.lanes = {.count = lanes};
  session.config.batch = lanes * samples;
  session.group.barrier("before a measurement");
  const auto size = static_cast<std::size_t>(session.model->layout().size());
  const TrainingParts parts = make_training_parts(session.config);
  std::vector<double> seconds;
  const Stopwatch all;
  Stopwatch step;
  try {
    train_task(session, session.tasks().front(), parts,
               {.weights = make_weights(std::vector<float>(size))},
               [&](const TaskProgress&, const auto&) {
                 seconds.push_back(step.seconds());
                 if (all.seconds() > kSeconds && seconds.size() >= kFewest) throw TimeIsUp{};
                 step = Stopwatch();
               });
  } catch (const TimeIsUp&) {
  }
  seconds.erase(seconds.begin());
  return slowest(session, median(std::move(seconds)));
}

// To read and prepare one of `samples` samples.
double input_seconds(Session& session, std::int64_t samples) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(samples));
  std::iota(positions.begin(), positions.end(), 0);
  const SampleReader reader = session.reader();
  std::vector<double> seconds;
  const Stopwatch all;
  while (all.seconds() < 0.1 * kSeconds || seconds.size() < kFewest) {
    const Stopwatch one;
    reader.training_view(session.tasks().front(), positions, 0);
    wait_for(session.device());
    seconds.push_back(one.seconds());
  }
  return slowest(session, median(std::move(seconds)) / static_cast<double>(samples));
}

}  // namespace

ComputeCost measured_cost(Session& session, const Operations& operations, LaneSizes sizes) {
  prepare(session);
  const std::int64_t most = session.tasks().front().train.size();
  if (most < 2) {
    throw UsageError(
        "plan: a training step is measured with two samples at least; the first task has one");
  }
  const std::int64_t small = std::max<std::int64_t>(std::min(sizes.small, most / 2), 1);
  const auto few = static_cast<double>(small);

  step_seconds(session, 1, small);  // pages in, kernels chosen
  const double one = step_seconds(session, 1, small);
  const double two = step_seconds(session, 2, small);
  const auto in_time = static_cast<std::int64_t>(kSeconds * few / one);
  const std::int64_t large =
      std::clamp(std::min(sizes.large, in_time), small + 1, std::max(most, small + 1));
  const double whole = step_seconds(session, 1, large);

  // one = step + lane + few * sample, and so on; none is below zero.
  const double sample =
      std::clamp((whole - one) / static_cast<double>(large - small), 0.1 * one / few, one / few);
  const double rest = one - few * sample;
  const double lane = std::clamp(two - one - few * sample, 0.0, rest);
  // Part of a sample's time is computing, whatever the clock says.
  const double input = std::min(input_seconds(session, large), 0.9 * sample);
  const double rate = operations.training / (sample - input);
  return {.step = rest - lane,
          .lane = lane,
          .sample = sample - input,
          .fisher = operations.fisher / rate,
          .forward = operations.forward / rate,
          .input = input};
}

}  // namespace palimpsest
