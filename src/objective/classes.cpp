// The paper's: cross-entropy over the task's own classes ("local CE"); with a temperature, of the
// logits divided by it.
#include <ATen/ATen.h>

#include <limits>

#include "palimpsest/objective/objective.h"

namespace palimpsest {
namespace {

class Classes : public Objective {
 public:
  explicit Classes(const KindSettings& settings) : temperature_(settings.number("temperature")) {}

  at::Tensor logits(const at::Tensor& features, const DeviceHead& head) const override {
    const at::Tensor logits = head.logits(features);
    return temperature_ == 1 ? logits : logits.div(temperature_);
  }

 private:
  double temperature_;
};

}  // namespace

ObjectiveKind classes_objective() {
  return {.name = "classes",
          .help = "Cross-entropy over the task's own classes, as in the paper.",
          .keys = {{.name = "temperature",
                    .default_value = 1.0,
                    .minimum = 0,
                    .maximum = std::numeric_limits<double>::infinity(),
                    .above_minimum = true,
                    .help = "Divides the logits in training and in the measurements for the merge. "
                            "The paper doesn't mention one; its first author's SplitLoRA (ICLR "
                            "2026, commit 1d7b488) has 30."}},
          .make = make_kind<Classes>,
          .other_names = {{"cross-entropy", "classes"}, {"ce", "classes"}}};
}

}  // namespace palimpsest
