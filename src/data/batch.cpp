#include "palimpsest/data/batch.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/device/host_copy.h"

namespace palimpsest {

std::int64_t Batch::size() const {
  if (const auto* texts = std::get_if<Texts>(&samples)) return std::ssize(texts->lengths);
  if (const auto* texts = std::get_if<PaddedTexts>(&samples)) return texts->ids.size(0);
  return std::get<Images>(samples).size(0);
}

PaddedTexts padded(const Texts& texts, at::Device device) {
  constexpr std::int64_t kStep = 32;  // few widths, and rows aligned for attention
  const std::int64_t count = std::ssize(texts.lengths);
  const std::int64_t longest = *std::ranges::max_element(texts.lengths);
  const std::int64_t width = (longest + kStep - 1) / kStep * kStep;
  at::Tensor ids = at::zeros({count, width}, at::kLong);
  auto* row = ids.mutable_data_ptr<std::int64_t>();
  const std::int64_t* next = texts.ids.data();
  for (const std::int64_t length : texts.lengths) {
    std::copy_n(next, length, row);
    next += length;
    row += width;
  }
  return {.ids = queued_copy(ids, device),
          .lengths = queued_copy(at::tensor(texts.lengths, at::kLong), device)};
}

at::Tensor token_mask(const Batch& batch) {
  const auto* texts = std::get_if<PaddedTexts>(&batch.samples);
  if (texts == nullptr) return {};
  return (at::arange(texts->ids.size(1), texts->ids.options()) < texts->lengths.unsqueeze(1))
      .to(at::kFloat)
      .view({-1, 1});
}

std::vector<at::Tensor*> batch_tensors(Batch& batch) {
  std::vector<at::Tensor*> tensors;
  if (auto* texts = std::get_if<PaddedTexts>(&batch.samples)) {
    tensors = {&texts->ids, &texts->lengths, &batch.targets};
  } else if (auto* images = std::get_if<Images>(&batch.samples)) {
    tensors = {images, &batch.targets};
  } else {
    return {};
  }
  for (at::Tensor* more : {&batch.rows, &batch.numbers})
    if (more->defined()) tensors.push_back(more);
  return tensors;
}

}  // namespace palimpsest
