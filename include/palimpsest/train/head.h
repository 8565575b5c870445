#pragma once
// The linear classifier of a task: its classes only, trained with cross-entropy over those classes
// alone ("local CE").
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "palimpsest/config/run_config.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// Uniform in +-1/sqrt(features), as PyTorch's Linear. weight [classes, features], bias [classes];
// written in place.
void initialise_head(const at::Tensor& weight, const at::Tensor& bias, std::uint64_t seed,
                     std::int64_t task);

Head head_to_record(const at::Tensor& weight, const at::Tensor& bias);
// The inverse, written in place. Throws InputError when the shapes differ.
void load_head(const at::Tensor& weight, const at::Tensor& bias, const Head& head);

// A head where the model is.
struct PlacedHead {
  at::Tensor weight, bias;  // [classes, features], [classes]
};
PlacedHead place(const Head& head, at::Device device);

// Trains a head on features that don't change: for a frozen backbone, and to refit a head on the
// merged model. Batches, learning rate and schedule as in the configuration, `passes` over the
// samples. Runs on every rank alike, without communication. `start`: weights to begin with; a fresh
// head when it has no classes.
struct HeadTraining {
  Head head;
  double loss_first_step = 0, loss_last_pass = 0;
};
HeadTraining train_head(const at::Tensor& features, std::span<const std::int64_t> targets,
                        std::int64_t classes, const RunConfig& config, std::int64_t task,
                        std::int64_t passes, const Head& start);

}  // namespace palimpsest
