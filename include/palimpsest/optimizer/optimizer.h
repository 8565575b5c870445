#pragma once
// AdamW (Loshchilov and Hutter, 2019) over parts of one flat parameter vector, each with its own
// learning rate, and that rate over the steps. All that changes from step to step is in tensors, so
// that a step can be recorded.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "palimpsest/config/run_config.h"

namespace palimpsest {

class AdamW {
 public:
  struct Group {
    at::Tensor parameters;  // 1-D float32, updated in place
    double learning_rate = 1e-3;
    // Moments, of the same shape, updated in place; where they are undefined, fresh ones.
    at::Tensor first_moment = {}, second_moment = {};
  };

  // updates: done before, by the optimizer that left these moments.
  AdamW(std::vector<Group> groups, double weight_decay, std::int64_t updates = 0);

  // Learning rates are multiplied by `factor` from now on.
  void set_factor(double factor);

  // One update; `gradients` has one 1-D tensor per group. `skip`: [] float32, nothing happens where
  // it is 1; undefined: 0.
  void step(const std::vector<at::Tensor>& gradients, const at::Tensor& skip = {});

 private:
  std::vector<Group> groups_;
  std::vector<at::Tensor> updates_, rates_;  // [] float32 by group, where its parameters are
  double weight_decay_;
};

// What the base learning rate is multiplied by at `step` of `steps` (from 0).
double learning_rate_factor(const Schedule& schedule, std::int64_t step, std::int64_t steps);

}  // namespace palimpsest
