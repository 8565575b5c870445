#include "palimpsest/train/task_passes.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "curvature_samples.h"
#include "palimpsest/core/error.h"
#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/session/chunk_loop.h"

namespace palimpsest {
namespace {

at::Tensor compute_features(Session& session, const LabelledSamples& split) {
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(session.watchdog, "feature pass");
  at::Tensor features =
      at::zeros({split.size(), session.model->feature_size()}, at::TensorOptions(session.device()));
  RecordedPass pass(session.placement.make_graph,
                    [&](const Batch& batch) { return session.model->features(batch); });
  ChunkLoop(session, session.group.size())
      .over(split, session.config.evaluation_batch,
            [&](const Chunk& chunk, std::int64_t, const Batch& batch) {
              features.narrow(0, chunk.first, chunk.size()).copy_(pass(batch));
            });
  // Every row is zero on all ranks but one: the sum is exact.
  if (session.group.size() > 1) session.placement.collectives->all_reduce_sum(as_buffer(features));
  return features;
}

}  // namespace

TaskPasses::TaskPasses(Session& session, const Task& task, const Objective& objective,
                       AdaptedWeights before, std::int64_t measured_by_class)
    : session_(session), task_(task), objective_(objective), before_(std::move(before)) {
  if (measured_by_class > 0)
    fewer_ = with_fewer_samples(task, measured_by_class, session.config.seed);
}

const at::Tensor& TaskPasses::features(const AdaptedWeights& weights) {
  if (!features_ || features_->weights != weights) {
    load_weights(session_, weights);
    features_.reset();  // never two at a time
    features_ = Features{.weights = weights, .values = compute_features(session_, task_.train)};
  }
  return features_->values;
}

const at::Tensor& TaskPasses::features_before() {
  if (before_ == nullptr) throw Error("these passes don't know the weights before the task");
  if (!features_before_.defined()) {
    load_weights(session_, before_);
    features_before_ = compute_features(session_, task_.train);
  }
  return features_before_;
}

double TaskPasses::loss(const AdaptedWeights& weights, const Head& head) {
  const auto known = std::ranges::find_if(losses_, [&](const Loss& loss) {
    return loss.weights.lock() == weights && loss.head == head;
  });
  if (known != losses_.end()) return known->value;
  const bool has_features = !fewer_ && features_ && features_->weights == weights &&
                            loss_chunk(session_) == session_.config.evaluation_batch;
  double value = 0;
  if (has_features) {
    value = mean_feature_loss(session_, task_, features_->values, head, objective_);
  } else {
    load_weights(session_, weights);
    value = mean_loss(session_, measured(), head, objective_);
  }
  losses_.push_back({.weights = weights, .head = head, .value = value});
  return value;
}

Fisher TaskPasses::curvature(const AdaptedWeights& weights, const Head& head,
                             const Curvature& curvature) {
  load_weights(session_, weights);
  Fisher fisher = measure_curvature(session_, measured(), head, curvature, objective_);
  losses_.push_back({.weights = weights, .head = head, .value = fisher.loss});
  return fisher;
}

}  // namespace palimpsest
