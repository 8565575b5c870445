#pragma once
// The diagonal empirical Fisher of a task on its adapted weight matrices, and losses over its
// training set.
#include <cstdint>
#include <vector>

#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/records.h"
#include "palimpsest/train/training_context.h"

namespace palimpsest {

inline constexpr const char* kFisherKind = "empirical-per-sample";

struct Fisher {
  std::vector<float>
      values;  // flat adapted vector: mean over samples of the squared per-sample gradient
  std::int64_t samples = 0;
  double loss = 0;  // mean cross-entropy per sample (nats) at the weights of the pass
};

// Collective; the model holds theta_t* (as its difference, no adapter). With G_n = sum_tau
// g_{n,tau} x_{n,tau}^T the gradient of sample n's own loss on the [out, in] matrix, F = mean_n
// G_n^2 (docs/how-it-works.md, "The Fisher"): true labels, all training samples, test-time
// transform. The same on every rank.
Fisher empirical_fisher(const TrainingContext& context, const Task& task, const Head& head);

// Collective; mean cross-entropy per sample over the training set, with the model as it is and this
// head.
double mean_loss(const TrainingContext& context, const Task& task, const Head& head);

}  // namespace palimpsest
