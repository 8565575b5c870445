// Settings of the perturbation.
#include "palimpsest/perturbation/perturbation.h"

#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_perturbation() {
  using C = RunConfig;
  return {
      key_of_part({.name = "perturbation",
                   .group = kMergeGroup,
                   .member = &C::perturbation,
                   .help = "How each step of the training is perturbed."},
                  perturbations()),
      {.name = "epsilon",
       .group = kMergeGroup,
       .member = &C::epsilon,
       .help = "Size of the perturbation: its key epsilon, where it has one. Paper: 0.5.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
  };
}

}  // namespace palimpsest
