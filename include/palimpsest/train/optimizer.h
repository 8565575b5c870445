#pragma once
// AdamW (Loshchilov and Hutter, 2019) over parts of one flat parameter vector, each with its own
// learning rate.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

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

  // One update; `gradients` has one 1-D tensor per group. Learning rates are multiplied by
  // `factor`.
  void step(const std::vector<at::Tensor>& gradients, double factor);

 private:
  std::vector<Group> groups_;
  std::vector<at::Tensor> updates_;  // by group, where its parameters are
  double weight_decay_;
};

}  // namespace palimpsest
