#pragma once
// Curvature and loss of a task, measured over its training samples by the test-time transform.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/curvature/curvature.h"
#include "palimpsest/format/records.h"
#include "palimpsest/objective/objective.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

struct Fisher {
  // Flat adapted vector, on rank 0 alone or each rank's shard: the squared gradients of the
  // samples' losses, summed and divided by the predictions, as the loss is; so a mean over samples
  // where each has one class.
  std::vector<float> values = {};
  std::int64_t samples = 0;
  double loss = 0;        // mean loss per prediction (nats) at the weights of the pass
  std::string kind = {};  // Curvature::recorded_kind()
};

// Samples of a chunk of the passes over a training set. No more than a lane of a training step has,
// so that what could be trained fits this pass, too.
std::int64_t loss_chunk(const Session& session);

// Collective; the model has theta_t* (as its difference, no adapter). Mean over all training
// samples. Throws DivergedError, on every rank alike, when a value or the
// loss is not finite.
Fisher measure_curvature(Session& session, const Task& task, const Head& head,
                         const Curvature& curvature, const Objective& objective);

// Collective; mean loss per prediction over the training set, with the model as it is and this
// head.
double mean_loss(Session& session, const Task& task, const Head& head, const Objective& objective);

// Float64 sums of this size over a task's training samples, by lane, for what each lane of this
// rank computes from the features of one chunk: `add` adds to `sums`. features: [samples,
// features]. positions: of the chunk's rows among the samples.
using AddRows = std::function<void(const at::Tensor& features, const at::Tensor& targets,
                                   std::span<const std::int64_t> positions, at::Tensor sums)>;
LaneSum sum_rows(Session& session, const Task& task, const at::Tensor& features, std::int64_t size,
                 const AddRows& add);

// Collective; mean_loss() from features of all its samples, [samples, features], that were made in
// chunks of loss_chunk().
double mean_feature_loss(Session& session, const Task& task, const at::Tensor& features,
                         const Head& head, const Objective& objective);

}  // namespace palimpsest
