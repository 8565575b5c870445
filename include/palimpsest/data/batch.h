#pragma once
// Samples of a batch, ready for a backbone.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <variant>
#include <vector>

namespace palimpsest {

// Texts one after another, without padding.
struct Texts {
  std::vector<std::int64_t> ids;      // of all texts
  std::vector<std::int64_t> lengths;  // tokens of each text
};

// The same for a device, whose work is recorded for one shape: every text filled up to a width that
// many batches share. Both are where the model is.
struct PaddedTexts {
  at::Tensor ids;      // [texts, width] int64; 0 after the end
  at::Tensor lengths;  // [texts] int64
};

PaddedTexts padded(const Texts& texts, at::Device device);

// Images after their transform: [samples, 3, side, side] float32, on the device of the model.
using Images = at::Tensor;

struct Batch {
  std::variant<Texts, PaddedTexts, Images> samples;
  // What is to be predicted, [predictions] int64, where the model is: of each sample its class, by
  // its position in the task; of sequences the tokens of all completions.
  at::Tensor targets;
  // Of sequences, [predictions] int64: the row, among those of all tokens, that predicts each
  // target, the one before it. Undefined where samples have classes.
  at::Tensor rows = {};
  // [samples], where the model is: a number that a pass needs of each sample besides; undefined
  // where it needs none.
  at::Tensor numbers = {};
  std::int64_t size() const;  // samples
};

// What fills targets of sequences up on a device, so that many batches have one shape: predicts
// nothing.
inline constexpr std::int64_t kNoTarget = -1;

// [tokens, 1] float32 over all rows of a batch of texts for a device: 1 where a row is a token, 0
// where it fills a text up. Undefined where all rows are tokens.
at::Tensor token_mask(const Batch& batch);

// What a batch consists of; nothing for texts in host memory, which are more than tensors.
std::vector<at::Tensor*> batch_tensors(Batch& batch);

}  // namespace palimpsest
