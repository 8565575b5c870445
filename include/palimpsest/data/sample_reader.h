#pragma once
// Batches of a pack's samples as a backbone takes them: texts as token ids, images transformed.
#include <cstdint>
#include <functional>
#include <span>

#include "palimpsest/data/batch.h"
#include "palimpsest/data/image_transform.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/pack.h"

namespace palimpsest {

// Texts of which parts are to be predicted: completions[i] says which tokens of text i.
Batch sequence_batch(Texts texts, std::span<const std::vector<Completion>> completions,
                     at::Device device);

class SampleReader {
 public:
  // Batches are made where `pixels` are, which must outlive the reader, beside what computes there.
  // `transform`: of images.
  SampleReader(const Pack& pack, ImageTransform transform, std::uint64_t seed, PixelSource& pixels);

  // The samples at these positions of a split, without augmentation. Throws InputError when a
  // sample's bytes are damaged.
  Batch test_batch(const LabelledSamples& split, std::span<const std::int64_t> positions) const;

  // Training samples, augmented: what a sample becomes is a function of (seed, task, pass, sample).
  Batch training_batch(const Task& task, std::span<const std::int64_t> positions,
                       std::int64_t pass) const;

  // How many predictions the samples at these positions of a split have together: one each, or of
  // sequences the tokens of their completions. A loss is a mean over predictions.
  std::int64_t predictions(const LabelledSamples& split,
                           std::span<const std::int64_t> positions) const;
  std::int64_t predictions(const LabelledSamples& split) const;  // of all its samples

  // Tokens of the texts at these positions of a split; images count as one each.
  std::vector<std::int64_t> lengths(const LabelledSamples& split,
                                    std::span<const std::int64_t> positions) const;

 private:
  Texts texts(const LabelledSamples& split, std::span<const std::int64_t> positions) const;
  Batch made_beside(const std::function<Batch()>& make) const;
  at::Tensor targets(const LabelledSamples& split, std::span<const std::int64_t> positions) const;
  Batch sequences(const LabelledSamples& split, std::span<const std::int64_t> positions) const;

  const Pack& pack_;
  ImageTransform transform_;
  std::uint64_t seed_;
  PixelSource& pixels_;
};

}  // namespace palimpsest
