// Settings of the penalty.
#include "palimpsest/penalty/penalty.h"

#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_penalty() {
  using C = RunConfig;
  return {
      key_of_part({.name = "penalty",
                   .group = kMergeGroup,
                   .member = &C::penalty,
                   .help = "What a step's loss is raised by for leaving earlier optima."},
                  penalties()),
      {.name = "ewc",
       .group = kMergeGroup,
       .member = &C::ewc,
       .help = "Weight of the penalty ewc, as penalty = ewc:weight=X. 0: as penalty says.",
       .minimum = 0,
       .maximum = kUnbounded},
  };
}

}  // namespace palimpsest
