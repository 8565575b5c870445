// Settings of the adapter.
#include "palimpsest/adapter/adapter.h"

#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_adapter() {
  using C = RunConfig;
  return {
      key_of_part({.name = "adapter",
                   .group = kTrainingGroup,
                   .member = &C::adapter,
                   .help = "Which weights of the backbone a task changes."},
                  adapters()),
      {.name = "lora-rank",
       .group = kTrainingGroup,
       .member = &C::lora_rank,
       .help = "Rank r of the adapter: its key rank. Paper: 10.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "lora-alpha",
       .group = kTrainingGroup,
       .member = &C::lora_alpha,
       .help = "The adapter is scaled by lora-alpha / lora-rank: its key alpha. Paper: a\n"
               "scale of 1.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "lora-targets",
       .group = kTrainingGroup,
       .member = &C::lora_targets,
       .help = "Projections of every block that the adapter changes, by name.\n"
               "Paper: key,value."},
  };
}

}  // namespace palimpsest
