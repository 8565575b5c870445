// Settings of the heads.
#include "palimpsest/head/head.h"

#include "keys.h"

namespace palimpsest {
std::vector<Key> keys_of_head() {
  using C = RunConfig;
  return {
      key_of_part({.name = "head",
                   .group = kHeadsGroup,
                   .member = &C::head,
                   .help = "What a task trains to tell its classes apart."},
                  head_kinds()),
      {.name = "head-scale",
       .group = kHeadsGroup,
       .member = &C::head_scale,
       .help = "What a cosine is multiplied by: the head's key scale, where it has one.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
  };
}

}  // namespace palimpsest
