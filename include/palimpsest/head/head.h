#pragma once
// What a task trains on top of the features: their logits. A part of the method: a kind
// is a file of src/head and a row of its table.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "palimpsest/format/records.h"
#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/kinds/needed_memory.h"

namespace palimpsest {

// Where the weights of a task's head come from.
enum class HeadWeights { kTrained, kFromFeatures, kOfBackbone };

class HeadType {
 public:
  virtual ~HeadType() = default;

  // As records name it, with Head::scale.
  virtual std::string_view recorded_kind() const = 0;
  virtual double scale() const { return 1; }
  // Whether logits are scale() times the cosine of features and weights, without a bias.
  virtual bool ignores_lengths() const { return false; }

  // features [samples, features], weight [classes, features], bias [classes] -> [samples, classes].
  virtual at::Tensor logits(const at::Tensor& features, const at::Tensor& weight,
                            const at::Tensor& bias) const = 0;

  // A fresh head, written in place: uniform in +-1/sqrt(features), as PyTorch's Linear.
  virtual void initialise(const at::Tensor& weight, const at::Tensor& bias, std::uint64_t seed,
                          std::int64_t task) const;

  // The heads of so many tasks, in a run's memory.
  virtual NeededMemory needs(std::int64_t tasks) const;

  // kTrained: by steps; kFromFeatures: from_features() makes it from those of a frozen backbone;
  // kOfBackbone: it is the backbone's output layer, and a task has none.
  virtual HeadWeights weights() const { return HeadWeights::kTrained; }
  virtual Head from_features(const at::Tensor& features, std::span<const std::int64_t> targets,
                             std::int64_t classes) const;
};

using HeadKind = PartKind<HeadType>;
const PartTable<HeadType>& head_kinds();

// Rows of length 1; a row of zeros stays as it is, and has a finite gradient.
at::Tensor directions(const at::Tensor& rows);

// A head where the model is.
struct DeviceHead {
  at::Tensor weight, bias;  // [classes, features], [classes]; an output layer has no bias
  std::shared_ptr<const HeadType> kind;

  at::Tensor logits(const at::Tensor& features) const {
    return kind->logits(features, weight, bias);
  }
};

// Throws InputError for a kind that this program doesn't know.
DeviceHead place(const Head& head, at::Device device);
// The inverse.
Head to_record(const DeviceHead& head);

// Takes the numbers of `from`. Throws InputError when the shapes differ.
void load_head(const DeviceHead& head, const Head& from);

}  // namespace palimpsest
