#pragma once
// What a step's loss is raised by for leaving the optima of earlier tasks. A part of the method: a
// kind is a file of src/penalty and a row of its table.
#include <memory>
#include <span>
#include <vector>

#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {

// 1/2 Delta' diag(curvature) Delta + slope . Delta over the flat adapted vector. Empty: zero.
struct QuadraticPenalty {
  std::vector<float> curvature, slope;
};

class Penalty {
 public:
  virtual ~Penalty() = default;

  // Whether a step is another one than without it.
  virtual bool changes_steps() const { return true; }
  // Whether it needs the Fishers of the tasks before.
  virtual bool needs_curvature() const { return false; }

  // Of the next task, whose task vector is measured from `merged` (theta_hat_{t-1} - theta_hat_0).
  // Throws Error when the sizes differ.
  virtual QuadraticPenalty quadratic(const CurvatureMemory& memory,
                                     std::span<const float> merged) const = 0;
};

using PenaltyKind = PartKind<Penalty>;
const PartTable<Penalty>& penalties();

}  // namespace palimpsest
