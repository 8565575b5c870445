#pragma once
// AdamW (Loshchilov and Hutter, 2019) over parts of one flat parameter vector, each with its own
// learning rate.
#include <ATen/core/Tensor.h>

#include <vector>

namespace palimpsest {

class AdamW {
 public:
  struct Group {
    at::Tensor parameters;  // 1-D float32, updated in place
    double learning_rate = 1e-3;
  };

  explicit AdamW(std::vector<Group> groups, double weight_decay);

  // One update; `gradients` has one 1-D tensor per group. Learning rates are multiplied by
  // `factor`.
  void step(const std::vector<at::Tensor>& gradients, double factor);

 private:
  struct Moments {
    at::Tensor first, second, steps;
  };
  std::vector<Group> groups_;
  std::vector<Moments> moments_;
  double weight_decay_;
};

}  // namespace palimpsest
