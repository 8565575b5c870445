#pragma once
// Brings the Fishers of different tasks to one scale, so that a task's say in the merge doesn't
// depend on how well it was fitted (docs/how-it-works.md, "The Fisher"). Only `none` is in the
// paper.
#include <array>
#include <span>
#include <string>

#include "palimpsest/core/choice.h"

namespace palimpsest {

enum class FisherScale { kNone, kTrace, kSecant };
constexpr auto choices(FisherScale) {
  return std::array<std::string_view, 3>{"none", "trace", "secant"};
}

struct FisherFactor {
  double factor = 1;
  std::string remark;  // why the scale could not be applied; empty otherwise
};

// trace: 1 / trace, of the Fisher's sum. secant: such that 1/2 Delta' (factor F) Delta equals
// `loss_rise`, the measured L_t(theta_hat_{t-1}) - L_t(theta_t*) in nats per sample. mass: Delta' F
// Delta (quadratic_form). Where the sum, the mass or the rise is not positive, F is kept and the
// remark says so.
FisherFactor fisher_factor(FisherScale scale, double trace, double mass, double loss_rise);

}  // namespace palimpsest
