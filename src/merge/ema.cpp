// An exponential moving average of the end points, which starts at theta_1* (CoMA).
#include "fixed_shares.h"

namespace palimpsest {

RuleKind ema_kind() {
  return {.name = "ema",
          .help = "alpha = rate from the second task on (CoMA).",
          .keys = {{.name = "rate", .default_value = std::nullopt, .minimum = 0, .maximum = 1}},
          .make = make_fixed_shares([](const KindSettings& settings, std::int64_t task) {
            return task == 0 ? 1 : settings.number("rate");
          })};
}

}  // namespace palimpsest
