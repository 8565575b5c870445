#pragma once
// The classifier of a task: its classes only, trained with cross-entropy over those classes alone
// ("local CE"), or made of class means.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "palimpsest/config/run_config.h"
#include "palimpsest/format/records.h"
#include "palimpsest/model/head.h"

namespace palimpsest {

// A head of the kind that the settings ask for, over this weight [classes, features] and bias
// [classes].
PlacedHead head_over(const at::Tensor& weight, const at::Tensor& bias, const RunConfig& config);

// Uniform in +-1/sqrt(features), as PyTorch's Linear; a cosine head's bias zero. Written in place.
void initialise_head(const PlacedHead& head, std::uint64_t seed, std::int64_t task);

// Takes the numbers of `from`. Throws InputError when the shapes differ.
void load_head(const PlacedHead& head, const Head& from);

struct HeadTraining {
  Head head;
  double loss_first_step = 0, loss_last_pass = 0;
};

// A step of which loss or gradient is not finite.
struct NonfiniteStep {
  std::int64_t step = 0, skipped = 0;  // from 0; skipped before it
  double loss = 0, gradient_norm = 0;
  const std::vector<std::int64_t>& batch;  // positions
};
// Returns where the step may be left out; throws otherwise.
using OnNonfinite = std::function<void(const NonfiniteStep&)>;

// Trains a head on features that don't change: for a frozen backbone, and to refit a head on the
// merged model. Batches, head-lr, schedule, weight decay and clip-norm as in the configuration,
// `passes` over the samples. Runs on every rank alike, without communication. `start`: weights to
// begin with; a fresh head when it has no classes. Without `on_nonfinite` no step is left out:
// throws DivergedError.
HeadTraining train_head(const at::Tensor& features, std::span<const std::int64_t> targets,
                        std::int64_t classes, const RunConfig& config, std::int64_t task,
                        std::int64_t passes, const Head& start,
                        const OnNonfinite& on_nonfinite = {});

// The settings of a short training after a merge, refit or alignment, on so many samples: without
// warm-up, which is the task's own; and where all samples are fewer than a batch, they are one.
RunConfig settings_after_merge(RunConfig config, std::int64_t samples);

// Nearest class mean by cosine (SimpleCIL; Zhou et al., IJCV 2024): each class's weight is the mean
// of its samples' features. Nothing is trained: both losses are that of the finished head.
HeadTraining prototype_head(const at::Tensor& features, std::span<const std::int64_t> targets,
                            std::int64_t classes, const RunConfig& config);

}  // namespace palimpsest
