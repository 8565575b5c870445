// Settings of the perturbation.
#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_perturbation() {
  using C = RunConfig;
  return {
      {.name = "perturbation",
       .group = kMergeGroup,
       .member = &C::perturbation,
       .help = "sign: each step scales the adapter by 1 - epsilon, 1 or 1 + epsilon, one\n"
               "chance in three each, as in the paper. none: LoRA-M, the ablation.\n"
               "gaussian: normal noise as long as sign's steps, the paper's control, fp32\n"
               "only. Not in the paper: stratified, each scale for a third of the batch;\n"
               "uniform, one scale a step from [1/t, 1] for the t-th task.",
       .choices = {"sign", "stratified", "uniform", "gaussian", "none"}},
      {.name = "epsilon",
       .group = kMergeGroup,
       .member = &C::epsilon,
       .help = "Size of the perturbation; uniform has none. Paper: 0.5.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
  };
}

}  // namespace palimpsest
