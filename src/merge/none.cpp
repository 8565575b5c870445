// No merge: the trained model is the inference model.
#include "fixed_shares.h"

namespace palimpsest {
namespace {

class Sequential : public FixedShares {
 public:
  using FixedShares::FixedShares;

 private:
  double alpha_of(std::int64_t) const override { return 1; }
};

}  // namespace

RuleKind none_kind() {
  return {.name = "none",
          .help = "Plain sequential training, alpha = 1.",
          .make = make_kind<Sequential>};
}

}  // namespace palimpsest
