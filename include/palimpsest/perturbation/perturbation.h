#pragma once
// Stage 1 of Perturb-and-Merge: each step sees the task vector at another length
// (docs/how-it-works.md, "Stage 1"). A part of the method: a kind is a file of src/perturbation and
// a row of its table.
#include <cstdint>
#include <memory>
#include <vector>

#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {

// What a step's draws follow from, so that every rank at every world size has the same.
struct StepName {
  std::uint64_t seed = 1;
  std::int64_t task = 0, step = 0;
};

// How a step is perturbed.
struct StepPerturbation {
  double c = 1;                       // of the step; the mean of by_sample
  std::vector<float> by_sample = {};  // by position in the global batch; empty: c for all
  std::uint64_t noise_seed = 0;       // where there is noise
};

class Perturbation {
 public:
  virtual ~Perturbation() = default;

  // Of the step of a global batch of so many samples.
  virtual StepPerturbation draw(const StepName& step, std::int64_t samples) const = 0;

  // Whether a step is another one than that of an unperturbed adapter.
  virtual bool changes_steps() const { return true; }
  // Whether every sample has its own c.
  virtual bool is_by_sample() const { return false; }
  // Of normal noise on every adapted weight: its standard deviation relative to the root mean
  // square of Delta; 0: none. float32 only.
  virtual double noise_size() const { return 0; }
};

using PerturbationKind = PartKind<Perturbation>;
const PartTable<Perturbation>& perturbations();

}  // namespace palimpsest
