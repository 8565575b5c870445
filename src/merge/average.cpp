// The running mean of the end points: alpha_t = 1/t.
#include "fixed_shares.h"

namespace palimpsest {

RuleKind average_kind() {
  return {.name = "average",
          .help = "alpha = 1/t.",
          .make = make_fixed_shares([](const KindSettings&, std::int64_t task) {
            return 1.0 / static_cast<double>(task + 1);
          }),
          .other_names = {{"soup", "average"}, {"uniform", "average"}, {"linear", "average"}}};
}

}  // namespace palimpsest
