// No perturbation: with a merge rule this is LoRA-M, the paper's ablation.
#include "perturbations.h"

namespace palimpsest {
namespace {

class NoPerturbation : public Perturbation {
 public:
  explicit NoPerturbation(const KindSettings&) {}
  StepPerturbation draw(const StepName&, std::int64_t) const override { return {}; }
  bool changes_steps() const override { return false; }
};

}  // namespace

PerturbationKind none_perturbation() {
  return {.name = "none",
          .help = "LoRA-M, the ablation.",
          .make = make_kind<NoPerturbation>,
          .other_names = {{"false", "none"}}};
}

}  // namespace palimpsest
