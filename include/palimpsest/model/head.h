#pragma once
// A task's classifier where the model is, and its logits: one definition for training, losses, the
// Fisher and evaluation.
#include <ATen/core/Tensor.h>

#include <span>
#include <string>

#include "palimpsest/format/records.h"

namespace palimpsest {

struct PlacedHead {
  at::Tensor weight, bias;  // [classes, features], [classes]
  std::string kind = "linear";
  double scale = 1;  // as in Head
};

PlacedHead place(const Head& head, at::Device device);
// The inverse.
Head to_record(const PlacedHead& head);

// features [samples, features] -> [samples, classes]. linear: W f + b. cosine: scale times
// <f, w> / (|f| |w|), without bias; a vector of length 0 stands at 0 to every other.
at::Tensor head_logits(const at::Tensor& features, const PlacedHead& head);

// The heads side by side, as one: their classes in order. At least one; throws Error when kinds or
// scales differ, as their logits would not compare.
Head joined(std::span<const Head> heads);

}  // namespace palimpsest
