#pragma once
// The diagonal curvature of a task on its adapted weight matrices, its Fisher by default, and
// losses over its training set.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/records.h"
#include "palimpsest/train/training_context.h"

namespace palimpsest {

// What records call a --curvature.
std::string curvature_kind(std::string_view curvature);

struct Fisher {
  std::vector<float> values;  // flat adapted vector: mean over samples
  std::int64_t samples = 0;
  double loss = 0;        // mean cross-entropy per sample (nats) at the weights of the pass
  std::string kind = {};  // curvature_kind()
};

// Collective; the model holds theta_t* (as its difference, no adapter). Over all training samples,
// with the test-time transform; the same on every rank. With G_n(y) = sum_tau g_{n,tau}
// x_{n,tau}^T the gradient of -log p_n(y) on the [out, in] matrix (docs/how-it-works.md, "The
// Fisher"), --curvature is
//   empirical         mean_n G_n(y_n)^2, y_n the true label
//   expected-sampled  the same with y_n drawn from the model, by (seed, task, sample)
//   expected-exact    mean_n sum_y p_n(y) G_n(y)^2; as many backward passes as classes
//   gram              mean_n sum_tau x_{n,tau,i}^2 in every row: forward only, without labels
// Throws DivergedError when it or the loss is not finite.
Fisher measure_curvature(const TrainingContext& context, const Task& task, const Head& head);

// Collective; mean cross-entropy per sample over the training set, with the model as it is and this
// head.
double mean_loss(const TrainingContext& context, const Task& task, const Head& head);

}  // namespace palimpsest
