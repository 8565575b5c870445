// Settings of the curvature.
#include "palimpsest/curvature/curvature.h"

#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_curvature() {
  using C = RunConfig;
  return {
      key_of_part({.name = "curvature",
                   .group = kMergeGroup,
                   .member = &C::curvature,
                   .help = "What says how sharply a task's loss rises around its optimum."},
                  curvatures()),
      {.name = "fisher-scale",
       .group = kMergeGroup,
       .member = &C::fisher_scale,
       .help = "Brings the tasks' Fishers to one scale: the curvature's key scale. none:\n"
               "the paper. trace: equal trace; secant: the measured rise of the loss (both\n"
               "not in the paper).",
       .choices = {"none", "trace", "secant"}},
  };
}

}  // namespace palimpsest
