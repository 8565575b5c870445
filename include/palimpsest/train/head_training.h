#pragma once
// A head trained on features that don't change: of a frozen backbone, or to fit heads to the merged
// model.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "palimpsest/data/sampler.h"
#include "palimpsest/format/records.h"
#include "palimpsest/head/head.h"
#include "palimpsest/objective/objective.h"

namespace palimpsest {

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

struct HeadTrainingSettings {
  BatchSettings batches;
  double learning_rate = 1e-2;  // at its highest
  double weight_decay = 0, clip_norm = 0;
  Schedule schedule;
};
HeadTrainingSettings head_training_settings(const RunConfig& config);

// Of a head's refit after a merge, on so many samples: without warm-up, which is the task's own;
// and where all samples are fewer than a batch, they are one.
HeadTrainingSettings settings_after_merge(const RunConfig& config, std::int64_t samples,
                                          std::int64_t passes);

// features: [samples, features], targets: the class of each row, below `classes`. Runs on every
// rank alike, without communication. `start`: weights to begin with; a fresh head when it has no
// classes. Without `on_nonfinite` no step is left out: throws DivergedError.
HeadTraining train_head(const at::Tensor& features, std::span<const std::int64_t> targets,
                        std::int64_t classes, std::int64_t task, const Head& start,
                        const std::shared_ptr<const HeadType>& kind, const Objective& objective,
                        const HeadTrainingSettings& settings, const OnNonfinite& on_nonfinite = {});

// Mean loss over these rows.
double mean_loss(const at::Tensor& features, std::span<const std::int64_t> targets,
                 const Head& head, const Objective& objective);

}  // namespace palimpsest
