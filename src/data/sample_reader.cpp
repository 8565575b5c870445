#include "palimpsest/data/sample_reader.h"

#include <ATen/ATen.h>

#include <optional>

#include "palimpsest/core/random.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

constexpr std::uint64_t kPassShift = 40;  // sample indices lie below

std::vector<PackedImage> read_images(const Pack& pack, const LabelledSamples& split,
                                     std::span<const std::int64_t> positions, ImageCache& cache) {
  std::vector<PackedImage> images;
  for (const std::int64_t position : positions) {
    const std::int64_t sample = split.samples.at(static_cast<std::size_t>(position));
    images.push_back(cache.find(sample) ? pack.unread_image(sample) : pack.image(sample));
  }
  return images;
}

}  // namespace

SampleReader::SampleReader(const Pack& pack, ImageTransform transform, std::uint64_t seed,
                           PixelSource& pixels)
    : pack_(pack), transform_(std::move(transform)), seed_(seed), pixels_(pixels) {}

Texts SampleReader::texts(const LabelledSamples& split,
                          std::span<const std::int64_t> positions) const {
  Texts texts;
  for (const std::int64_t position : positions) {
    const auto at = static_cast<std::size_t>(position);
    const std::span<const std::int32_t> tokens = pack_.tokens(split.samples.at(at));
    texts.ids.insert(texts.ids.end(), tokens.begin(), tokens.end());
    texts.lengths.push_back(std::ssize(tokens));
  }
  return texts;
}

// On a device targets are filled up to a multiple of some number, so that few shapes are recorded.
Batch sequence_batch(Texts all, std::span<const std::vector<Completion>> completions,
                     at::Device device) {
  constexpr std::size_t kStep = 64;
  std::optional<PaddedTexts> filled;
  if (!device.is_cpu()) filled = padded(all, device);
  std::vector<std::int64_t> tokens, rows;
  std::int64_t first_row = 0, first_token = 0;  // of the sample
  for (std::size_t i = 0; i < completions.size(); ++i) {
    for (const Completion& completion : completions[i]) {
      for (std::int64_t place = completion.begin; place < completion.end; ++place) {
        tokens.push_back(all.ids[static_cast<std::size_t>(first_token + place)]);
        rows.push_back(first_row + place - 1);
      }
    }
    first_token += all.lengths[i];
    first_row += filled ? filled->ids.size(1) : all.lengths[i];
  }
  if (filled) {
    tokens.resize((tokens.size() + kStep - 1) / kStep * kStep, kNoTarget);
    rows.resize(tokens.size());
  }
  Batch batch{.samples = std::move(all),
              .targets = queued_copy(at::tensor(tokens, at::kLong), device),
              .rows = queued_copy(at::tensor(rows, at::kLong), device)};
  if (filled) batch.samples = *std::move(filled);
  return batch;
}

Batch SampleReader::sequences(const LabelledSamples& split,
                              std::span<const std::int64_t> positions) const {
  std::vector<std::vector<Completion>> completions;
  for (const std::int64_t position : positions)
    completions.push_back(pack_.completions(split.samples.at(static_cast<std::size_t>(position))));
  return sequence_batch(texts(split, positions), completions, pixels_.device());
}

std::int64_t SampleReader::predictions(const LabelledSamples& split,
                                       std::span<const std::int64_t> positions) const {
  if (!pack_.has_completions()) return std::ssize(positions);
  std::int64_t sum = 0;
  for (const std::int64_t position : positions)
    sum += pack_.completion_tokens(split.samples.at(static_cast<std::size_t>(position)));
  return sum;
}

std::int64_t SampleReader::predictions(const LabelledSamples& split) const {
  if (!pack_.has_completions()) return split.size();
  std::int64_t sum = 0;
  for (const std::int64_t sample : split.samples) sum += pack_.completion_tokens(sample);
  return sum;
}

at::Tensor SampleReader::targets(const LabelledSamples& split,
                                 std::span<const std::int64_t> positions) const {
  std::vector<std::int64_t> targets;
  for (const std::int64_t position : positions) {
    targets.push_back(split.targets.at(static_cast<std::size_t>(position)));
  }
  return queued_copy(at::tensor(targets, at::kLong), pixels_.device());
}

std::vector<std::int64_t> SampleReader::lengths(const LabelledSamples& split,
                                                std::span<const std::int64_t> positions) const {
  if (!pack_.has_texts()) return std::vector<std::int64_t>(positions.size(), 1);
  std::vector<std::int64_t> lengths;
  for (const std::int64_t position : positions) {
    lengths.push_back(pack_.length(split.samples.at(static_cast<std::size_t>(position))));
  }
  return lengths;
}

Batch SampleReader::made_beside(const std::function<Batch()>& make) const {
  Batch batch;
  pixels_.beside().run([&] { batch = make(); });
  for (const at::Tensor* tensor : batch_tensors(batch)) SideStream::hand_over(*tensor);
  return batch;
}

Batch SampleReader::test_batch(const LabelledSamples& split,
                               std::span<const std::int64_t> positions) const {
  return made_beside([&]() -> Batch {
    if (pack_.has_completions()) return sequences(split, positions);
    const at::Tensor classes = targets(split, positions);
    if (!pack_.has_texts()) {
      return {palimpsest::test_batch(read_images(pack_, split, positions, pixels_.cache()),
                                     transform_, pixels_),
              classes};
    }
    Texts all = texts(split, positions);
    if (pixels_.device().is_cpu()) return {std::move(all), classes};
    return {padded(all, pixels_.device()), classes};
  });
}

Batch SampleReader::training_batch(const Task& task, std::span<const std::int64_t> positions,
                                   std::int64_t pass) const {
  if (pack_.has_texts()) return test_batch(task.train, positions);
  std::vector<RandomStream> streams;
  for (const std::int64_t position : positions) {
    const auto sample =
        static_cast<std::uint64_t>(task.train.samples.at(static_cast<std::size_t>(position)));
    streams.emplace_back(seed_, Purpose::kAugmentation, static_cast<std::uint32_t>(task.index),
                         (static_cast<std::uint64_t>(pass) << kPassShift) + sample);
  }
  return made_beside([&]() -> Batch {
    return {palimpsest::training_batch(read_images(pack_, task.train, positions, pixels_.cache()),
                                       streams, transform_, pixels_),
            targets(task.train, positions)};
  });
}

}  // namespace palimpsest
