// The same alpha for every task.
#include "fixed_shares.h"

namespace palimpsest {

RuleKind fixed_kind() {
  return {.name = "fixed",
          .help = "The same alpha for every task, including the first.",
          .keys = {{.name = "alpha", .default_value = std::nullopt, .minimum = 0, .maximum = 1}},
          .make = make_fixed_shares(
              [](const KindSettings& settings, std::int64_t) { return settings.number("alpha"); })};
}

}  // namespace palimpsest
