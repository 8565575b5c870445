#pragma once
// What is measured of a task's training samples without training: features, losses, curvature. Each
// is measured once; a second call for the same weights returns what is there.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "palimpsest/session/session.h"
#include "palimpsest/train/fisher.h"

namespace palimpsest {

class TaskPasses {
 public:
  // All outlive it. `before`: the weights that the task begins with. measured_by_class: on how many
  // training samples of each class losses and curvature are measured (--curvature samples=N); 0:
  // all.
  TaskPasses(Session& session, const Task& task, const Objective& objective,
             AdaptedWeights before = nullptr, std::int64_t measured_by_class = 0);

  Session& session() const { return session_; }
  const Task& task() const { return task_; }
  const Objective& objective() const { return objective_; }
  const AdaptedWeights& before() const { return before_; }

  // All are collective. They load the weights, see samples by the test-time transform, and throw
  // Stopped, on every rank alike, between two rounds of chunks.

  // [samples, features] on every rank, with the same bits at every number of ranks. Features at
  // other weights that were requested before are dropped.
  const at::Tensor& features(const AdaptedWeights& weights);

  // The same at the weights that the task begins with; they are kept.
  const at::Tensor& features_before();

  // Mean loss per sample with this head, in nats, on every rank. It is formed from
  // features(weights) where they are there, of the same samples in the same chunks.
  double loss(const AdaptedWeights& weights, const Head& head);

  // On rank 0; elsewhere only its `loss` is set. Throws DivergedError, on every rank alike, when it
  // or the loss is not finite.
  Fisher curvature(const AdaptedWeights& weights, const Head& head, const Curvature& curvature);

 private:
  struct Features {
    AdaptedWeights weights;
    at::Tensor values;
  };
  struct Loss {
    std::weak_ptr<const std::vector<float>> weights;
    Head head;
    double value = 0;
  };

  const Task& measured() const { return fewer_ ? *fewer_ : task_; }

  Session& session_;
  const Task& task_;
  const Objective& objective_;
  AdaptedWeights before_;
  std::optional<Task> fewer_;  // with the samples that are measured, where that isn't all
  at::Tensor features_before_;
  std::optional<Features> features_;
  std::vector<Loss> losses_;
};

}  // namespace palimpsest
