// The scales of the sign, each for a third of every batch. What is left of a batch that is no
// multiple of three goes to scales that are newly drawn each step, so that every position has each
// scale with probability 1/3.
#include <numeric>

#include "perturbations.h"

namespace palimpsest {
namespace {

class Stratified : public Perturbation {
 public:
  explicit Stratified(const KindSettings& settings) : epsilon_(settings.number("epsilon")) {}

  StepPerturbation draw(const StepName& step, std::int64_t samples) const override {
    RandomStream stream = step_stream(step);
    std::uint64_t next = stream.below(3);
    std::vector<float> scales(static_cast<std::size_t>(samples));
    for (const std::int64_t position : permutation(samples, stream)) {
      const double sign = static_cast<double>(next++ % 3) - 1;
      scales[static_cast<std::size_t>(position)] = static_cast<float>(1 + epsilon_ * sign);
    }
    const double sum = std::accumulate(scales.begin(), scales.end(), 0.0);
    return {.c = sum / static_cast<double>(samples), .by_sample = std::move(scales)};
  }

  bool is_by_sample() const override { return true; }

 private:
  double epsilon_;
};

}  // namespace

PerturbationKind stratified_perturbation() {
  return {.name = "stratified",
          .help = "A third of the batch with each of sign's scales. Not in the paper.",
          .keys = {epsilon_key()},
          .make = make_kind<Stratified>};
}

}  // namespace palimpsest
