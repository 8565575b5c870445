#include "palimpsest/train/perturbation.h"

#include <cmath>
#include <numeric>

#include "palimpsest/core/random.h"

namespace palimpsest {
namespace {

RandomStream stream_of(std::uint64_t seed, std::int64_t task, std::int64_t step) {
  return RandomStream(seed, Purpose::kPerturbation, static_cast<std::uint32_t>(task),
                      static_cast<std::uint64_t>(step));
}

}  // namespace

double perturbation_scale(std::uint64_t seed, std::int64_t task, std::int64_t step,
                          double epsilon) {
  return 1 + epsilon * (static_cast<double>(stream_of(seed, task, step).below(3)) - 1);
}

double uniform_scale(std::uint64_t seed, std::int64_t task, std::int64_t step) {
  const double least = 1 / static_cast<double>(task + 1);
  return least + (1 - least) * stream_of(seed, task, step).uniform();
}

std::vector<float> stratified_scales(std::uint64_t seed, std::int64_t task, std::int64_t step,
                                     std::int64_t samples, double epsilon) {
  RandomStream stream = stream_of(seed, task, step);
  const std::uint64_t first = stream.below(3);
  std::vector<float> scales(static_cast<std::size_t>(samples));
  std::uint64_t next = first;
  for (const std::int64_t position : permutation(samples, stream)) {
    const double sign = static_cast<double>(next++ % 3) - 1;
    scales[static_cast<std::size_t>(position)] = static_cast<float>(1 + epsilon * sign);
  }
  return scales;
}

double noise_size(double epsilon) { return epsilon * std::sqrt(2.0 / 3); }

std::uint64_t noise_seed(std::uint64_t seed, std::int64_t task, std::int64_t step) {
  RandomStream stream = stream_of(seed, task, step);
  const std::uint64_t high = stream.next();
  return (high << 32) | stream.next();
}

Perturbation perturbation_of(const RunConfig& config, std::int64_t task, std::int64_t step,
                             std::int64_t samples) {
  Perturbation result;
  if (config.perturbation == "sign") {
    result.c = perturbation_scale(config.seed, task, step, config.epsilon);
  } else if (config.perturbation == "uniform") {
    result.c = uniform_scale(config.seed, task, step);
  } else if (config.perturbation == "stratified") {
    result.by_sample = stratified_scales(config.seed, task, step, samples, config.epsilon);
    result.c = std::accumulate(result.by_sample.begin(), result.by_sample.end(), 0.0) /
               static_cast<double>(samples);
  } else if (config.perturbation == "gaussian") {
    result.noise_seed = noise_seed(config.seed, task, step);
  }
  return result;
}

}  // namespace palimpsest
