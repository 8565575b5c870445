// The first task alone: what the tasks after it are trained for is not merged.
#include "fixed_shares.h"

namespace palimpsest {

RuleKind first_kind() {
  return {.name = "first",
          .help = "alpha = 1 for the first task, then 0: only the first task counts.",
          .make = make_fixed_shares(
              [](const KindSettings&, std::int64_t task) { return task == 0 ? 1.0 : 0.0; })};
}

}  // namespace palimpsest
