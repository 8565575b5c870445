#pragma once
// A frozen linear layer some of whose rows a LoRA adapter changes. In fp32 the layer is one product
// with the effective weight W + c s B A; A and B get their gradients from thin products, and the
// gradient of the weight is never formed.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/model/lora.h"

namespace palimpsest {

// Called in the backward pass, once per adapted module: its input x [tokens, in] and the gradient
// of the loss with respect to its output, g [tokens, out]. Then A and B get no gradient.
using GradientTap =
    std::function<void(std::size_t module, const at::Tensor& x, const at::Tensor& g)>;

// What a forward pass leaves for the backward pass. With a LoRA (after set_adapter with the same
// c), gradients flow to its factors; with a tap, the tap is called instead.
struct AdapterUse {
  const Lora* lora = nullptr;
  double c = 1;
  const GradientTap* tap = nullptr;
};

class AdaptedLinear {
 public:
  // Module `module` of the layout is rows row .. row + out - 1 of the weight.
  struct Slot {
    std::size_t module = 0;
    std::int64_t row = 0;
  };

  // weight [rows, in], bias [rows]; all slots have `out` rows. No slots: a plain frozen layer.
  // `group`: the position of the layer's factors in a Lora.
  AdaptedLinear(at::Tensor weight, at::Tensor bias, std::vector<Slot> slots, std::int64_t out,
                std::size_t group = 0);

  bool is_adapted() const { return !frozen_.slots.empty(); }

  // The adapted modules as a LoRA group; nullopt for a plain layer.
  std::optional<LoraGroup> group() const;

  // W = W_0 + difference, where difference is the flat adapted vector theta - theta_hat_0.
  void set_difference(std::span<const float> difference, const AdaptedLayout& layout);

  // Effective weight: W + c s B A.
  void set_adapter(const Lora& lora, double c);

  // x [tokens, in] -> [tokens, rows] with the effective weight.
  at::Tensor forward(const at::Tensor& x, const AdapterUse& use) const;

 private:
  // What a backward pass needs of the layer; it outlives every graph that was built over it.
  struct Frozen {
    at::Tensor effective;  // [rows, in]
    at::Tensor bias;
    std::vector<Slot> slots;
    std::int64_t out;
  };
  friend class AdaptedProduct;

  Frozen frozen_;
  std::size_t group_;
  at::Tensor original_;  // rows of the slots in W_0, [slots, out, in]; undefined for a plain layer
  at::Tensor current_;   // the same in W
};

}  // namespace palimpsest
