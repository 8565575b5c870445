// No merge: the trained model is the inference model.
#include "fixed_shares.h"

namespace palimpsest {

RuleKind none_kind() {
  return {.name = "none",
          .help = "Plain sequential training, alpha = 1.",
          .make = make_fixed_shares([](const KindSettings&, std::int64_t) { return 1.0; })};
}

}  // namespace palimpsest
