#pragma once
// A frozen linear layer some of whose rows a LoRA adapter changes. In fp32 the layer is one product
// with the effective weight W + c s B A. The adapter is its own branch beside the product with
// W in bf16, where a sum would lose most of a small B A, and where every sample has its own c.
// A and B get their gradients from thin products either way, and the gradient of the weight is
// never formed.
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

// Called in the forward pass, once per adapted module, with its input x [tokens, in].
using InputTap = std::function<void(std::size_t module, const at::Tensor& x)>;

// What a forward pass leaves for the backward pass. With a LoRA, gradients flow to its factors;
// with a tap, the tap is called instead.
struct AdapterOptions {
  const Lora* lora = nullptr;
  // Float32, where the weights are. [], after set_adapter with the same; or [samples], one for
  // each, where no set_adapter has been. Undefined: 1.
  at::Tensor c = {};
  const GradientTap* tap = nullptr;
  const InputTap* input_tap = nullptr;
  at::Tensor rows_c = {};  // the backbone's: c [samples] for each of its tokens, [tokens, 1]
};

class AdaptedLinear {
 public:
  // One of the matrices of a layer, all of one shape: float32, not written to. `module`: its place
  // in the layout; none for a plain one.
  struct Matrix {
    at::Tensor weight, bias = {};  // [out, in], [out]
    std::optional<std::size_t> module = {};
  };

  // The matrices stacked by rows, in `precision` (kFloat or kBFloat16). `group`: the position of
  // the layer's factors in a Lora.
  AdaptedLinear(std::span<const Matrix> matrices, at::ScalarType precision, std::size_t group = 0);

  bool is_adapted() const { return !frozen_.slots.empty(); }

  // The adapted modules as a LoRA group; nullopt for a plain layer.
  std::optional<LoraGroup> group() const;

  // Of one of its modules, by position in the layout: W_0 + difference, [out, in] float32, where
  // the layer is. difference: [out, in], row-major, in host memory.
  at::Tensor weight_with(std::size_t module, std::span<const float> difference) const;
  // W becomes this, [out, in] float32.
  void set_weight(std::size_t module, const at::Tensor& weight);
  // W_0 is freed: there is no weight_with() of this module any more.
  void drop_original(std::size_t module);

  // Effective weight: W + c s B A. In bf16 nothing changes: forward() adds the adapter. `noise`: by
  // module of the layout, [out, in]; where there is any, noise times the root mean square of s B A
  // is added, too (float32 only).
  void set_adapter(const Lora& lora, const at::Tensor& c, std::span<const at::Tensor> noise = {});

  // x [tokens, in] -> [tokens, rows], in the layer's precision.
  at::Tensor forward(const at::Tensor& x, const AdapterOptions& use) const;

  // Appends the adapter's factors for this layer that learn, if it has any.
  void append_factors(const Lora& lora, std::vector<at::Tensor>& factors) const;

 private:
  // Module `module` of the layout is rows row .. row + out - 1 of the weight.
  struct Slot {
    std::size_t module = 0;
    std::int64_t row = 0;
  };
  // What a backward pass needs of the layer; it outlives every graph that was built over it.
  struct Frozen {
    at::Tensor effective = {};  // [rows, in]
    at::Tensor bias = {};
    std::vector<Slot> slots = {};
    std::int64_t out;
    bool branch;  // the adapter is no part of `effective`
  };
  friend class AdaptedProduct;

  // Of a module's slot.
  std::size_t slot(std::size_t module) const;

  Frozen frozen_;
  std::size_t group_;
  std::vector<at::Tensor> original_;  // by slot: its rows of W_0, [out, in] float32
  std::vector<at::Tensor> current_;   // the same in W; empty in bf16
};

}  // namespace palimpsest
