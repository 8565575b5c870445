#include "palimpsest/train/features.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "palimpsest/device/placement.h"
#include "palimpsest/device/streams.h"
#include "palimpsest/model/recorded_pass.h"

namespace palimpsest {

at::Tensor cached_features(const TrainingContext& context, const LabelledSamples& split) {
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(context.watchdog, "feature pass");
  at::Tensor features = at::zeros({split.size(), context.model.feature_size()},
                                  at::TensorOptions(context.model.device()));
  RecordedPass pass(context.make_graph,
                    [&](const Batch& batch) { return context.model.features(batch); });
  Pace pace(context.model.device());
  std::int64_t number = 0;
  for (const auto& positions : chunks(split.size(), context.config.evaluation_batch)) {
    if (number % context.group.size() == 0) context.stop.check();
    if (number++ % context.group.size() != context.group.rank()) continue;
    features.narrow(0, positions.front(), std::ssize(positions))
        .copy_(pass(context.reader.test_view(split, positions)));
    pace.queued();
  }
  // Every row is zero on all ranks but one: the sum is exact.
  if (context.group.size() > 1) context.collectives.all_reduce_sum(as_buffer(features));
  return features;
}

}  // namespace palimpsest
