// Cross-entropy of the next token over the vocabulary, on the tokens of completions: what a decoder
// is fine-tuned with. The backbone's output layer is the head.
#include <ATen/ATen.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/model/token_losses.h"
#include "palimpsest/objective/objective.h"

namespace palimpsest {
namespace {

class NextToken : public Objective {
 public:
  explicit NextToken(const KindSettings&) {}

  bool predicts_tokens() const override { return true; }

  void check(const HeadType& head) const override {
    if (head.weights() == HeadWeights::kOfBackbone) return;
    throw UsageError(
        concat("objective = next-token predicts tokens by the backbone's output layer, "
               "but head = ",
               head.recorded_kind(), " has classes; set head to output"));
  }

  at::Tensor summed_loss(const at::Tensor& features, const DeviceHead& head,
                         const at::Tensor& targets) const override {
    return token_losses(features, head.weight, targets).sum();
  }
};

}  // namespace

ObjectiveKind next_token_objective() {
  return {.name = "next-token",
          .help =
              "Cross-entropy over the vocabulary for the tokens of completions, as a mean over "
              "tokens. For decoders and packs of kind sequences, with head output and classifier "
              "none. Not in the paper.",
          .make = make_kind<NextToken>,
          .other_names = {{"causal-lm", "next-token"}}};
}

}  // namespace palimpsest
