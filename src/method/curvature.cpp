// Settings of the curvature.
#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_curvature() {
  using C = RunConfig;
  return {
      {.name = "curvature",
       .group = kMergeGroup,
       .member = &C::curvature,
       .help = "empirical: the Fisher of the true labels, as in the paper. Not in the\n"
               "paper: expected-sampled, of labels drawn from the model; expected-exact,\n"
               "over all classes, a backward pass each; gram, the inputs' second moments\n"
               "(the diagonal of RegMean's), forward only.",
       .choices = {"empirical", "expected-sampled", "expected-exact", "gram"}},
      {.name = "fisher-scale",
       .group = kMergeGroup,
       .member = &C::fisher_scale,
       .help = "Brings the tasks' Fishers to one scale. none: the paper. trace: equal\n"
               "trace; secant: the measured rise of the loss (both not in the paper).",
       .choices = {"none", "trace", "secant"}},
  };
}

}  // namespace palimpsest
