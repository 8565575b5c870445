// The paper's: weight . f + bias.
#include <ATen/ATen.h>

#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

class Linear : public HeadType {
 public:
  explicit Linear(const KindSettings&) {}
  std::string_view recorded_kind() const override { return "linear"; }
  at::Tensor logits(const at::Tensor& features, const at::Tensor& weight,
                    const at::Tensor& bias) const override {
    return at::linear(features, weight, bias);
  }
};

}  // namespace

HeadKind linear_head() {
  return {.name = "linear",
          .help = "A linear layer with a bias, as in the paper.",
          .make = make_kind<Linear>};
}

}  // namespace palimpsest
