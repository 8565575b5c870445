// Settings of the objective.
#include "palimpsest/objective/objective.h"

#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_objective() {
  return {key_of_part({.name = "objective",
                       .group = kTrainingGroup,
                       .member = &RunConfig::objective,
                       .help = "What a batch is worth in training."},
                      objectives())};
}

}  // namespace palimpsest
