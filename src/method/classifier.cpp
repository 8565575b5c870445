// Settings of the classifier.
#include "palimpsest/classifier/classifier.h"

#include "keys.h"

namespace palimpsest {

std::vector<Key> keys_of_classifier() {
  using C = RunConfig;
  return {
      key_of_part({.name = "classifier",
                   .group = kHeadsGroup,
                   .member = &C::classifier,
                   .help = "What tells the classes of all tasks apart.",
                   .verbs = {"plan", "doctor", "eval", "predict"}},
                  classifiers()),
      {.name = "head-refit",
       .group = kHeadsGroup,
       .member = &C::head_refit,
       .help = "Train the task's head once more on the merged model, on features of the\n"
               "test view. Not in the paper."},
      {.name = "head-refit-epochs",
       .group = kHeadsGroup,
       .member = &C::head_refit_epochs,
       .help = "head-refit: passes over the task's features, the classifier's key refit.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "head-align",
       .group = kHeadsGroup,
       .member = &C::head_align,
       .help = "After each merge from the second on, train all heads together on features\n"
               "drawn from every class's mean and variance (as SLCA). Not in the paper."},
      {.name = "head-align-epochs",
       .group = kHeadsGroup,
       .member = &C::head_align_epochs,
       .help = "head-align: passes over what is drawn, the classifier's key align.",
       .minimum = 1,
       .maximum = kMost},
  };
}

}  // namespace palimpsest
