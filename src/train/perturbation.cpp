#include "palimpsest/train/perturbation.h"

#include "palimpsest/core/random.h"

namespace palimpsest {

double perturbation_scale(std::uint64_t seed, std::int64_t task, std::int64_t step,
                          double epsilon) {
  RandomStream stream(seed, Purpose::kPerturbation, static_cast<std::uint32_t>(task),
                      static_cast<std::uint64_t>(step));
  return 1 + epsilon * (static_cast<double>(stream.below(3)) - 1);
}

}  // namespace palimpsest
