// The same alpha for every task.
#include "fixed_shares.h"

namespace palimpsest {
namespace {

class Fixed : public FixedShares {
 public:
  explicit Fixed(KindSettings chosen)
      : FixedShares(std::move(chosen)), alpha_(settings().number("alpha")) {}

 private:
  double alpha_of(std::int64_t) const override { return alpha_; }
  double alpha_;
};

}  // namespace

RuleKind fixed_kind() {
  return {.name = "fixed",
          .help = "The same alpha for every task, the first one too.",
          .parameters = {{.name = "alpha", .standard = std::nullopt, .minimum = 0, .maximum = 1}},
          .make = make_kind<Fixed>};
}

}  // namespace palimpsest
