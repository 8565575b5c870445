#pragma once
// Features of a split that stay as they are: the backbone is frozen, or has just been merged.
#include <ATen/core/Tensor.h>

#include "palimpsest/data/task_stream.h"
#include "palimpsest/train/training_context.h"

namespace palimpsest {

// Collective. [samples, features] of all samples of a split under the model as it is, on every
// rank. The chunks are dealt over the ranks; their composition, and so the bits, don't depend on
// the world size.
at::Tensor cached_features(const TrainingContext& context, const LabelledSamples& split);

}  // namespace palimpsest
