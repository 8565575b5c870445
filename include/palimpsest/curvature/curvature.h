#pragma once
// The diagonal curvature of a task on its adapted weight matrices: its Fisher, by default. A part
// of the method: a kind is a file of src/curvature and a row of its table.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "palimpsest/head/head.h"
#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/kinds/needed_memory.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/objective/objective.h"

namespace palimpsest {

// Where the curvature of a pass goes: float32 sums over its samples, module by module.
class CurvatureSums {
 public:
  using AddTo = std::function<void(const at::Tensor& sums)>;  // [out, in] of the module

  virtual ~CurvatureSums() = default;
  // By position in the model's layout. The modules of a pass come in the same order on every rank.
  virtual void add(std::size_t module, const AddTo& add_to) = 0;
};

// All modules in one flat adapted vector.
class FlatSums : public CurvatureSums {
 public:
  FlatSums(const AdaptedLayout& layout, at::Tensor flat)
      : layout_(layout), flat_(std::move(flat)) {}
  void add(std::size_t module, const AddTo& add_to) override;

 private:
  const AdaptedLayout& layout_;
  at::Tensor flat_;
};

// A pass over one batch.
struct CurvaturePass {
  const Backbone& model;  // theta_t* as its difference, no adapter
  const DeviceHead& head;
  const Objective& objective;
  const Batch& batch;
  CurvatureSums& sums;
};

class Curvature {
 public:
  // With the keys of curvature_keys().
  explicit Curvature(const KindSettings& settings);
  virtual ~Curvature() = default;

  FisherScale scale() const { return scale_; }
  const std::string& name() const { return name_; }
  // What its S0 and S1 are kept under: "curvature/empirical:scale=secant".
  std::string instance() const;

  // Whether its scale needs the task's loss before the training, too.
  bool needs_loss_before() const { return scale_ == FisherScale::kSecant; }

  // How many training samples of each class it is measured on; 0: all.
  std::int64_t samples_by_class() const { return samples_by_class_; }

  // S0 and S1 of the tasks before. `who`: what needs them, as text.
  NeededMemory needs(const std::string& who) const;

  // What records call it: "empirical-per-sample".
  virtual std::string recorded_kind() const;

  // Adds the sum over the batch's samples. Returns their Objective::summed_loss().
  virtual at::Tensor add(const CurvaturePass& pass) const = 0;

  // Whether it needs the logits of all classes.
  virtual bool needs_logits() const { return false; }

  // Whether each sample of a batch needs a random number in [0, 1), as Batch::numbers (float64).
  virtual bool draws() const { return false; }

  // Through the model for each batch of a task of so many classes. With one at most, a pass adds to
  // each module once.
  virtual std::int64_t backward_passes(std::int64_t /*classes*/) const { return 1; }

 private:
  std::string name_;
  FisherScale scale_;
  std::int64_t samples_by_class_;
};

using CurvatureKind = PartKind<Curvature>;
const PartTable<Curvature>& curvatures();

}  // namespace palimpsest
