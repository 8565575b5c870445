// The first task alone: what the tasks after it are trained for is not merged.
#include "fixed_shares.h"

namespace palimpsest {
namespace {

class First : public FixedShares {
 public:
  using FixedShares::FixedShares;

 private:
  double alpha_of(std::int64_t task) const override { return task == 0 ? 1 : 0; }
};

}  // namespace

RuleKind first_kind() {
  return {.name = "first",
          .help = "alpha = 1 for the first task, then 0: what the first task alone is worth.",
          .make = make_kind<First>};
}

}  // namespace palimpsest
