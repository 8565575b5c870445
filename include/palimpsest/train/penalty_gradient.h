#pragma once
// The gradient of a quadratic penalty on the task vector with respect to the LoRA factors.
#include <ATen/core/Tensor.h>

#include <vector>

#include "palimpsest/model/backbone.h"
#include "palimpsest/penalty/penalty.h"
#include "palimpsest/train/task_parameters.h"

namespace palimpsest {

class PenaltyGradient {
 public:
  // An empty penalty adds nothing.
  PenaltyGradient(const QuadraticPenalty& penalty, const Backbone& model);

  // `gradient`: one number for each of parameters.values(). With Delta = s B A of a module (c = 1)
  // and G = curvature * Delta + slope on its [out, in] matrix, adds s B'G for A and s G A' for B,
  // where they learn.
  void add_to(const at::Tensor& gradient, const TaskParameters& parameters) const;

 private:
  struct Module {
    at::Tensor curvature, slope;  // [out, in]
  };
  std::vector<std::vector<Module>> groups_;  // as the model's LoRA groups
};

}  // namespace palimpsest
