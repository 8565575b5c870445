#pragma once
// The tensors of a checkpoint as a model takes them.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {

// A tensor by its canonical name, float32, not to be written to. Throws InputError.
using TensorLoader =
    std::function<at::Tensor(const std::string& name, const std::vector<std::int64_t>& shape)>;

// On the CPU a tensor that lies in its file as float32 is a view of the mapped file: nothing is
// read before it is used, and all ranks of a node share the pages. `weights` and its checkpoint
// must outlive the loader, the checkpoint the tensors, too.
TensorLoader weight_loader(CanonicalWeights& weights, at::Device device);

}  // namespace palimpsest
