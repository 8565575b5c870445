// An exponential moving average of the end points, which starts at theta_1* (CoMA).
#include "fixed_shares.h"

namespace palimpsest {
namespace {

class Ema : public FixedShares {
 public:
  explicit Ema(KindSettings chosen)
      : FixedShares(std::move(chosen)), rate_(settings().number("rate")) {}

 private:
  double alpha_of(std::int64_t task) const override { return task == 0 ? 1 : rate_; }
  double rate_;
};

}  // namespace

RuleKind ema_kind() {
  return {.name = "ema",
          .help = "alpha = rate from the second task on (CoMA).",
          .parameters = {{.name = "rate", .standard = std::nullopt, .minimum = 0, .maximum = 1}},
          .make = make_kind<Ema>};
}

}  // namespace palimpsest
