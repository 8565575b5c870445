#include "palimpsest/train/fisher.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/session/chunk_loop.h"
#include "sharded_sums.h"

namespace palimpsest {
namespace {

// [samples] of a chunk, for what is drawn for each sample: a number in [0, 1) by (seed, task,
// sample).
at::Tensor uniform_numbers(const Session& session, const Task& task, const Chunk& chunk) {
  std::vector<double> numbers;
  for (const std::int64_t position : chunk.positions) {
    const auto sample =
        static_cast<std::uint64_t>(task.train.samples[static_cast<std::size_t>(position)]);
    numbers.push_back(RandomStream(session.config.seed, Purpose::kFisherLabel,
                                   static_cast<std::uint32_t>(task.index), sample)
                          .uniform());
  }
  return queued_copy(at::tensor(numbers, at::kDouble), session.device());
}

double prediction_count(Session& session, const Task& task) {
  return static_cast<double>(session.reader().predictions(task.train));
}

// On rank 0 alone.
CurvatureTotal sum_whole(Session& session, const LabelledSamples& split, const DrawNumbers& draw,
                         const ChunkCurvature& curvature) {
  const AdaptedLayout& layout = session.model->layout();
  const std::int64_t size = layout.size();
  // Sums over a chunk: one number per adapted weight, then the loss.
  RecordedPass pass(session.placement.make_graph, [&](const Batch& batch) {
    const at::Tensor all = at::zeros({size + 1}, at::TensorOptions(session.device()));
    FlatSums sums(layout, all);
    all[size].copy_(curvature(batch, sums));
    return all;
  });
  const at::Tensor total = sum_on_root(session, split, loss_chunk(session), size + 1,
                                       [&](const Chunk& chunk, Batch& batch) {
                                         draw(chunk, batch);
                                         return pass(batch);
                                       });
  if (!total.defined()) return {};
  return {.sums = total.narrow(0, 0, size), .loss = total[size].item<double>()};
}

// The head of a task; or, where it has none, the backbone's output layer.
DeviceHead place(const Session& session, const Head& head) {
  DeviceHead placed = place(head, session.device());
  if (placed.kind->weights() == HeadWeights::kOfBackbone)
    placed.weight = session.model->output_layer();
  return placed;
}

}  // namespace

std::int64_t loss_chunk(const Session& session) {
  const std::int64_t lanes = session.lanes.count;
  return std::min(session.config.evaluation_batch, (session.config.batch + lanes - 1) / lanes);
}

Fisher measure_curvature(Session& session, const Task& task, const Head& head,
                         const Curvature& curvature, const Objective& objective) {
  const Watchdog::Phase phase(session.watchdog, "Fisher pass", 10);
  const DeviceHead placed = place(session, head);
  const auto add = [&](const Batch& batch, CurvatureSums& sums) {
    return curvature.add({.model = *session.model,
                          .head = placed,
                          .objective = objective,
                          .batch = batch,
                          .sums = sums});
  };
  const auto draw = [&](const Chunk& chunk, Batch& batch) {
    if (curvature.draws()) batch.numbers = uniform_numbers(session, task, chunk);
  };
  const CurvatureTotal total =
      session.shards.are_split()
          ? sum_by_shards(session, task.train, loss_chunk(session), draw, add)
          : sum_whole(session, task.train, draw, add);

  const double predictions = prediction_count(session, task);
  Fisher fisher{.samples = task.train.size(), .loss = 0, .kind = curvature.recorded_kind()};
  bool is_finite = true;
  if (total.sums.defined()) {
    fisher.loss = total.loss / predictions;
    const at::Tensor mean = total.sums.div(predictions).to(at::kCPU);
    fisher.values = to_host(mean.to(at::kFloat));
    is_finite = std::isfinite(fisher.loss) && at::isfinite(mean).all().item<bool>();
  }
  session.group.broadcast(std::span(&fisher.loss, 1), 0, "broadcast of the loss after training");
  if (session.group.any(!is_finite, "agreement on the Fisher")) {
    throw DivergedError(concat("task ", task.index + 1,
                               ": the Fisher or the loss after training is not finite (loss ",
                               fisher.loss, "); lower --lr or set --clip-norm"));
  }
  return fisher;
}

double mean_loss(Session& session, const Task& task, const Head& head, const Objective& objective) {
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(session.watchdog, "loss pass", 10);
  const DeviceHead placed = place(session, head);
  RecordedPass pass(session.placement.make_graph, [&](const Batch& batch) {
    return objective.summed_loss(session.model->features(batch), placed, batch.targets).view(1);
  });
  LaneSum sums = sum_over_chunks(session, task.train, loss_chunk(session), 1,
                                 [&](const Chunk&, Batch& batch) { return pass(batch); });
  return sums.reduce()[0].item<double>() / prediction_count(session, task);
}

LaneSum sum_rows(Session& session, const Task& task, const at::Tensor& features, std::int64_t size,
                 const AddRows& add) {
  const c10::NoGradGuard no_grad;
  const at::Tensor targets = queued_copy(at::tensor(task.train.targets), session.device());
  LaneSum sums = ordered_sum(session, size);
  const auto all = chunks(task.train.size(), loss_chunk(session));
  for (std::size_t i = 0; i < sums.own_lanes().size(); ++i) {
    for (std::int64_t c = sums.own_lanes()[i]; c < std::ssize(all); c += session.lanes.count) {
      const std::vector<std::int64_t>& positions = all[static_cast<std::size_t>(c)];
      const auto rows = [&](const at::Tensor& of_all) {
        return of_all.narrow(0, positions.front(), std::ssize(positions));
      };
      add(rows(features), rows(targets), positions, sums.part(i));
    }
  }
  return sums;
}

double mean_feature_loss(Session& session, const Task& task, const at::Tensor& features,
                         const Head& head, const Objective& objective) {
  const DeviceHead placed = place(session, head);
  LaneSum sums = sum_rows(
      session, task, features, 1,
      [&](const at::Tensor& rows, const at::Tensor& targets, std::span<const std::int64_t>,
          at::Tensor sum) { sum.add_(objective.summed_loss(rows, placed, targets).view(1)); });
  return sums.reduce()[0].item<double>() / prediction_count(session, task);
}

}  // namespace palimpsest
