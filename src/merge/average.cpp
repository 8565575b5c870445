// The running mean of the end points: alpha_t = 1/t.
#include "fixed_shares.h"

namespace palimpsest {
namespace {

class Average : public FixedShares {
 public:
  using FixedShares::FixedShares;

 private:
  double alpha_of(std::int64_t task) const override { return 1.0 / static_cast<double>(task + 1); }
};

}  // namespace

RuleKind average_kind() {
  return {.name = "average", .help = "alpha = 1/t.", .make = make_kind<Average>};
}

}  // namespace palimpsest
