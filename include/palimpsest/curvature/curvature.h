#pragma once
// The diagonal curvature of a task on its adapted weight matrices: its Fisher, by default. A part
// of the method: a kind is a file of src/curvature and a row of its table.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "palimpsest/head/head.h"
#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/kinds/needed_memory.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/objective/objective.h"

namespace palimpsest {

// A pass over one batch, and where its curvature goes.
struct CurvaturePass {
  const Backbone& model;  // theta_t* as its difference, no adapter
  const DeviceHead& head;
  const Objective& objective;
  const Batch& batch;
  at::Tensor sums;  // float32, flat adapted vector: sums over the samples are added to it

  // [out, in] of a module.
  at::Tensor module(std::size_t index) const;
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

  // Through the model for each batch of a task of so many classes.
  virtual std::int64_t backward_passes(std::int64_t /*classes*/) const { return 1; }

 private:
  std::string name_;
  FisherScale scale_;
  std::int64_t samples_by_class_;
};

using CurvatureKind = PartKind<Curvature>;
const PartTable<Curvature>& curvatures();

}  // namespace palimpsest
