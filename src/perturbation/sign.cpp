// The paper's: c is 1 - epsilon, 1 or 1 + epsilon, each with probability 1/3.
#include "perturbations.h"

namespace palimpsest {
namespace {

class Sign : public Perturbation {
 public:
  explicit Sign(const KindSettings& settings) : epsilon_(settings.number("epsilon")) {}

  StepPerturbation draw(const StepName& step, std::int64_t) const override {
    return {.c = 1 + epsilon_ * (static_cast<double>(step_stream(step).below(3)) - 1)};
  }

 private:
  double epsilon_;
};

}  // namespace

PerturbationKind sign_perturbation() {
  return {.name = "sign",
          .help =
              "Each step scales the task vector by 1 - epsilon, 1 or 1 + epsilon, with equal "
              "chances, as in the paper.",
          .keys = {epsilon_key()},
          .make = make_kind<Sign>,
          .other_names = {{"true", "sign"}}};
}

}  // namespace palimpsest
