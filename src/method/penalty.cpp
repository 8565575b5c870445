// Settings of the penalty.
#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_penalty() {
  using C = RunConfig;
  return {
      {.name = "ewc",
       .group = kMergeGroup,
       .member = &C::ewc,
       .help = "Weight of EWC's penalty on leaving the optima of earlier tasks, by their\n"
               "Fishers; a baseline, usually with merge = none. 0: none. Not in the paper.",
       .minimum = 0,
       .maximum = kUnbounded},
  };
}

}  // namespace palimpsest
