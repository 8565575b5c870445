#include "palimpsest/data/sampler.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

Sampler::Sampler(std::uint64_t seed, std::int64_t task, std::int64_t samples, std::int64_t batch,
                 bool drop_last)
    : seed_(seed),
      task_(task),
      samples_(samples),
      batch_(batch),
      steps_per_pass_(drop_last ? samples / batch : (samples + batch - 1) / batch) {
  if (steps_per_pass_ == 0) {
    throw UsageError(concat("task ", task + 1, " has ", samples,
                            " training samples, too few for one batch of ", batch,
                            " with --drop-last; lower --batch or leave --drop-last out"));
  }
}

std::vector<std::int64_t> Sampler::batch(std::int64_t step) const {
  const std::int64_t pass = step / steps_per_pass_;
  if (pass != pass_) {
    order_ = permutation(samples_,
                         RandomStream(seed_, Purpose::kShuffle, static_cast<std::uint32_t>(task_),
                                      static_cast<std::uint64_t>(pass)));
    pass_ = pass;
  }
  const std::int64_t first = (step % steps_per_pass_) * batch_;
  const std::int64_t last = std::min(first + batch_, samples_);
  return {order_.begin() + first, order_.begin() + last};
}

std::int64_t training_steps(const RunConfig& config, std::int64_t task, std::int64_t samples) {
  const Sampler sampler(config.seed, task, samples, config.batch, config.drop_last);
  return config.epochs * config.passes_per_epoch * sampler.steps_per_pass();
}

std::vector<std::vector<std::int64_t>> deal(const std::vector<std::int64_t>& batch,
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
