// CosFace (Wang et al., CVPR 2018): cross-entropy over scale times the cosine of features and
// weights, where the right class must win by a margin: s (cos_y - m) against s cos_j.
#include <ATen/ATen.h>

#include <limits>

#include "palimpsest/core/error.h"
#include "palimpsest/objective/objective.h"

namespace palimpsest {
namespace {

class CosFace : public Objective {
 public:
  explicit CosFace(const KindSettings& settings)
      : margin_(settings.number("margin")), scale_(settings.number("scale")) {}

  at::Tensor logits(const at::Tensor& features, const DeviceHead& head) const override {
    return at::linear(directions(features), directions(head.weight)).mul(scale_);
  }

  at::Tensor training_logits(const at::Tensor& logits, const at::Tensor& targets) const override {
    const at::Tensor classes = at::arange(logits.size(1), targets.options());
    const at::Tensor is_right = targets.unsqueeze(1).eq(classes).to(logits.scalar_type());
    return logits.sub(is_right, scale_ * margin_);
  }

  void check(const HeadType& head) const override {
    if (head.ignores_lengths()) return;
    throw UsageError(
        "objective = cosface trains the cosines of features and weights, but the head answers with "
        "other logits; set head to cosine");
  }

 private:
  double margin_, scale_;
};

}  // namespace

ObjectiveKind cosface_objective() {
  return {.name = "cosface",
          .help =
              "Cross-entropy over scale times the cosine of features and weights, with a margin "
              "for the right class (Wang et al., 2018, with their constants). Needs head cosine. "
              "Not in the paper.",
          .keys = {{.name = "margin", .default_value = 0.35, .minimum = 0, .maximum = 1},
                   {.name = "scale",
                    .default_value = 64.0,
                    .minimum = 0,
                    .maximum = std::numeric_limits<double>::infinity(),
                    .above_minimum = true}},
          .make = make_kind<CosFace>};
}

}  // namespace palimpsest
