#include "palimpsest/train/fisher.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/streams.h"
#include "palimpsest/model/head.h"
#include "palimpsest/model/host_kernels.h"
#include "palimpsest/model/recorded_pass.h"

namespace palimpsest {
namespace {

// Runs `pass` over all chunks of the training set, dealt into lanes; returns the sum of what it
// returns, `size` float64.
at::Tensor sum_over_chunks(const TrainingContext& context, const Task& task, std::int64_t size,
                           RecordedPass pass) {
  Lanes lanes = context.lanes;
  lanes.ordered = true;
  LaneSum sums(context.collectives, lanes, size, at::kDouble, context.model.device());
  Pace pace(context.model.device());
  // No chunk is larger than a lane of a training step, so that what could be trained fits here,
  // too.
  const std::int64_t lane = (context.config.batch + lanes.count - 1) / lanes.count;
  const auto all = chunks(task.train.size(), std::min(context.config.evaluation_batch, lane));
  for (std::int64_t first = 0; first < std::ssize(all); first += lanes.count) {
    context.stop.check();
    for (std::size_t i = 0; i < sums.own_lanes().size(); ++i) {
      const std::int64_t chunk = first + sums.own_lanes()[i];
      if (chunk >= std::ssize(all)) continue;
      at::Tensor part = sums.part(i);
      part.add_(pass(context.reader.test_view(task.train, all[static_cast<std::size_t>(chunk)])));
      pace.queued();
    }
  }
  return sums.reduce();
}

at::Tensor summed_loss(const at::Tensor& features, const PlacedHead& head, const Batch& batch) {
  return at::cross_entropy_loss(head_logits(features, head), batch.targets, {}, at::Reduction::Sum);
}

}  // namespace

Fisher empirical_fisher(const TrainingContext& context, const Task& task, const Head& head) {
  const Watchdog::Phase phase(context.watchdog, "Fisher pass", 10);
  const AdaptedLayout& layout = context.model.layout();
  const std::int64_t size = layout.size();
  const PlacedHead placed = place(head, context.model.device());
  at::Tensor squares;                // of one chunk, then its loss
  std::vector<std::int64_t> tokens;  // of each sample of the chunk
  const GradientTap tap = [&](std::size_t index, const at::Tensor& input,
                              const at::Tensor& output_gradient) {
    const AdaptedModule& module = layout.modules()[index];
    const at::Tensor x = input.to(at::kFloat), g = output_gradient.to(at::kFloat);
    at::Tensor sum = squares.narrow(0, module.offset, module.size()).view({module.out, module.in});
    // A layer that sees a sample's pooled token alone has one row for each.
    const std::vector<std::int64_t> single(tokens.size(), 1);
    const std::vector<std::int64_t>& lengths = x.size(0) == std::ssize(tokens) ? single : tokens;
    add_squared_products(g, x, lengths, sum);
  };
  const auto pass = [&](const Batch& batch) {
    tokens = context.model.tokens(batch);
    squares = at::zeros({size + 1}, at::TensorOptions(context.model.device()));
    const at::Tensor loss =
        summed_loss(context.model.features(batch, {.tap = &tap}), placed, batch);
    loss.backward();
    squares[size].copy_(loss.detach());
    return squares;
  };
  const at::Tensor total =
      sum_over_chunks(context, task, size + 1, RecordedPass(context.make_graph, pass));

  const std::int64_t samples = task.train.size();
  const at::Tensor mean = total.div(static_cast<double>(samples)).to(at::kCPU);
  const at::Tensor values = mean.narrow(0, 0, size).to(at::kFloat);
  Fisher fisher{.values = {values.const_data_ptr<float>(), values.const_data_ptr<float>() + size},
                .samples = samples,
                .loss = mean[size].item<double>()};
  if (!at::isfinite(mean).all().item<bool>()) {
    throw DivergedError(concat("task ", task.index + 1,
                               ": the Fisher or the loss after training is not finite (loss ",
                               fisher.loss, "); lower --lr or set --clip-norm"));
  }
  return fisher;
}

double mean_loss(const TrainingContext& context, const Task& task, const Head& head) {
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(context.watchdog, "loss pass", 10);
  const PlacedHead placed = place(head, context.model.device());
  const auto pass = [&](const Batch& batch) {
    return summed_loss(context.model.features(batch), placed, batch).view({1});
  };
  const at::Tensor total =
      sum_over_chunks(context, task, 1, RecordedPass(context.make_graph, pass));
  return total[0].item<double>() / static_cast<double>(task.train.size());
}

}  // namespace palimpsest
