#pragma once
// The diagonal curvature of a task on its adapted weight matrices, its Fisher by default, and
// losses over its training set.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/records.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// What records call a --curvature.
std::string curvature_kind(std::string_view curvature);

struct Fisher {
  std::vector<float> values;  // flat adapted vector: mean over samples; on rank 0 alone
  std::int64_t samples = 0;
  double loss = 0;        // mean cross-entropy per sample (nats) at the weights of the pass
  std::string kind = {};  // curvature_kind()
};

// Samples of a chunk of the passes over a training set. No more than a lane of a training step has,
// so that what could be trained fits here, too.
std::int64_t loss_chunk(const Session& session);

// Collective; the model has theta_t* (as its difference, no adapter). Over all training samples,
// with the test-time transform. With G_n(y) = sum_tau g_{n,tau}
// x_{n,tau}^T the gradient of -log p_n(y) on the [out, in] matrix (docs/how-it-works.md, "The
// Fisher"), --curvature is
//   empirical         mean_n G_n(y_n)^2, y_n the true label
//   expected-sampled  the same with y_n drawn from the model, by (seed, task, sample)
//   expected-exact    mean_n sum_y p_n(y) G_n(y)^2; as many backward passes as classes
//   gram              mean_n sum_tau x_{n,tau,i}^2 in every row: forward only, without labels
// Values are formed on rank 0 alone. Throws DivergedError, on every rank alike, when one or the
// loss is not finite.
Fisher measure_curvature(Session& session, const Task& task, const Head& head);

// Collective; mean cross-entropy per sample over the training set, with the model as it is and this
// head.
double mean_loss(Session& session, const Task& task, const Head& head);

// Collective; the same from features of all its samples, [samples, features], that were made in
// chunks of loss_chunk().
double mean_loss_of_features(Session& session, const Task& task, const at::Tensor& features,
                             const Head& head);

}  // namespace palimpsest
