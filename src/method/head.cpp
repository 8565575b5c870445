// Settings of the heads.
#include "palimpsest/head/head.h"

#include "keys.h"

namespace palimpsest {
namespace {

constexpr std::string_view kHeads = "The heads";

}  // namespace

std::vector<Key> keys_of_head() {
  using C = RunConfig;
  return {
      key_of_part({.name = "head",
                   .group = kHeads,
                   .member = &C::head,
                   .help = "What a task trains to tell its classes apart."},
                  head_kinds()),
      {.name = "head-scale",
       .group = kHeads,
       .member = &C::head_scale,
       .help = "head = cosine, prototype: what the cosine is multiplied by.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "head-refit",
       .group = kHeads,
       .member = &C::head_refit,
       .help = "Train the task's head once more on the merged model, on features of the\n"
               "test view. Not in the paper."},
      {.name = "head-refit-epochs",
       .group = kHeads,
       .member = &C::head_refit_epochs,
       .help = "head-refit: passes over the task's features.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "head-align",
       .group = kHeads,
       .member = &C::head_align,
       .help = "After each merge from the second on, train all heads together on features\n"
               "drawn from every class's mean and variance (as SLCA). Not in the paper."},
      {.name = "head-align-epochs",
       .group = kHeads,
       .member = &C::head_align_epochs,
       .help = "head-align: passes over what is drawn.",
       .minimum = 1,
       .maximum = kMost},
  };
}

}  // namespace palimpsest
