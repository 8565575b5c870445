// The backbone's own output layer, which is frozen: of a decoder that learns to predict tokens.
#include <ATen/ATen.h>

#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

class OutputLayer : public HeadType {
 public:
  explicit OutputLayer(const KindSettings&) {}
  std::string_view recorded_kind() const override { return "output"; }
  HeadWeights weights() const override { return HeadWeights::kOfBackbone; }
  NeededMemory needs(std::int64_t) const override { return {}; }
  at::Tensor logits(const at::Tensor& features, const at::Tensor& weight,
                    const at::Tensor&) const override {
    return at::linear(features, weight);
  }
};

}  // namespace

HeadKind output_head() {
  return {
      .name = "output",
      .help = "The backbone's frozen output layer, for objective = next-token. Not in the paper.",
      .make = make_kind<OutputLayer>};
}

}  // namespace palimpsest
