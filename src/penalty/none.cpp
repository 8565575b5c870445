// No penalty, as in the paper.
#include "palimpsest/penalty/penalty.h"

namespace palimpsest {
namespace {

class NoPenalty : public Penalty {
 public:
  explicit NoPenalty(const KindSettings&) {}
  bool changes_steps() const override { return false; }
  QuadraticPenalty quadratic(const CurvatureMemory&, std::span<const float>) const override {
    return {};
  }
};

}  // namespace

PenaltyKind none_penalty() {
  return {.name = "none", .help = "As in the paper.", .make = make_kind<NoPenalty>};
}

}  // namespace palimpsest
