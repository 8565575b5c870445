#include "palimpsest/data/sampler.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

BatchSettings batch_settings(const RunConfig& config) {
  return {.seed = config.seed,
          .batch = config.batch,
          .drop_last = config.drop_last,
          .passes = config.epochs * config.passes_per_epoch};
}

Sampler::Sampler(const BatchSettings& settings, std::int64_t task, std::int64_t samples)
    : settings_(settings),
      task_(task),
      samples_(samples),
      steps_per_pass_(settings.drop_last ? samples / settings.batch
                                         : (samples + settings.batch - 1) / settings.batch) {
  if (steps_per_pass_ == 0) {
    throw UsageError(concat("task ", task + 1, " has ", samples,
                            " training samples, too few for one batch of ", settings.batch,
                            " with --drop-last; lower --batch or leave --drop-last out"));
  }
}

std::vector<std::int64_t> Sampler::batch(std::int64_t step) const {
  const std::int64_t pass = step / steps_per_pass_;
  if (pass != pass_) {
    order_ = permutation(
        samples_, RandomStream(settings_.seed, Purpose::kShuffle, static_cast<std::uint32_t>(task_),
                               static_cast<std::uint64_t>(pass)));
    pass_ = pass;
  }
  const std::int64_t first = (step % steps_per_pass_) * settings_.batch;
  const std::int64_t last = std::min(first + settings_.batch, samples_);
  return {order_.begin() + first, order_.begin() + last};
}

std::int64_t training_steps(const BatchSettings& settings, std::int64_t task,
                            std::int64_t samples) {
  return Sampler(settings, task, samples).steps();
}

std::vector<std::vector<std::int64_t>> split_into_lanes(const std::vector<std::int64_t>& batch,
                                                        const std::vector<std::int64_t>& lengths,
                                                        std::int64_t lanes) {
  std::vector<std::size_t> order(batch.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return lengths[i]; });
  const auto count = static_cast<std::size_t>(lanes);
  std::vector<std::vector<std::int64_t>> shares(count);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t round = i / count, place = i % count;
    shares[round % 2 == 0 ? place : count - 1 - place].push_back(batch[order[i]]);
  }
  return shares;
}

}  // namespace palimpsest
