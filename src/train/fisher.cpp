#include "palimpsest/train/fisher.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <functional>
#include <span>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/model/head.h"
#include "palimpsest/model/host_kernels.h"
#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/session/chunk_loop.h"

namespace palimpsest {
namespace {

// Sums of float64 over the chunks of a training set, by lane.
LaneSum lane_sum(Session& session, std::int64_t size) {
  Lanes lanes = session.lanes;
  lanes.ordered = true;
  return {*session.placement.collectives, lanes, size, at::kDouble, session.device()};
}

// Adds what `pass` returns for each chunk of the training set to the chunk's lane.
using ChunkPass = std::function<at::Tensor(const Chunk& chunk, Batch& batch)>;
void add_chunks(Session& session, const Task& task, LaneSum& sums, const ChunkPass& pass) {
  ChunkLoop(session, session.lanes.count)
      .over(task.train, loss_chunk(session),
            [&](const Chunk& chunk, std::int64_t lane, Batch batch) {
              at::Tensor part = sums.part(static_cast<std::size_t>(lane / session.group.size()));
              part.add_(pass(chunk, batch));
            });
}

at::Tensor summed_loss(const at::Tensor& logits, const at::Tensor& targets) {
  return at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum);
}

// One label for each row of logits: that in whose share of [0, 1) its number lies, the shares being
// the probabilities. `uniform`: [samples] float64.
at::Tensor drawn_labels(const at::Tensor& logits, const at::Tensor& uniform) {
  const at::Tensor probabilities = logits.detach().to(at::kDouble).softmax(1);
  const std::int64_t classes = probabilities.size(1);
  // A product instead of cumsum, which promises no order of additions on a device.
  const at::Tensor ends =
      probabilities.mm(at::ones({classes, classes}, probabilities.options()).triu());
  return ends.le(uniform.unsqueeze(1)).sum(1).clamp_max(classes - 1);
}

// The backward passes whose squared gradients make up the curvature.
void backward(std::string_view curvature, const at::Tensor& logits, const Batch& batch) {
  if (curvature == "empirical") {
    summed_loss(logits, batch.targets).backward();
  } else if (curvature == "expected-sampled") {
    summed_loss(logits, drawn_labels(logits, batch.numbers)).backward();
  } else {  // a weight of sqrt(p) makes p of the square
    const at::Tensor log_p = logits.log_softmax(1), weights = log_p.detach().div(2).exp();
    const std::int64_t classes = logits.size(1);
    for (std::int64_t y = 0; y < classes; ++y) {
      log_p.select(1, y)
          .mul(weights.select(1, y))
          .sum()
          .backward({}, /*retain_graph=*/y + 1 < classes);
    }
  }
}

// [tokens, 1]: 1 where a row holds a token, 0 where it fills a text up; undefined where all do.
at::Tensor holds_token(const Batch& batch) {
  const auto* texts = std::get_if<PaddedTexts>(&batch.samples);
  if (texts == nullptr) return {};
  return (at::arange(texts->ids.size(1), texts->ids.options()) < texts->lengths.unsqueeze(1))
      .to(at::kFloat)
      .view({-1, 1});
}

// Sums over chunks: one number per adapted weight, then the loss.
class CurvaturePass {
 public:
  CurvaturePass(const Session& session, const Head& head)
      : curvature_(session.config.curvature),
        model_(*session.model),
        head_(place(head, session.device())) {}

  at::Tensor operator()(const Batch& batch) const {
    const at::Tensor sums =
        at::zeros({model_.layout().size() + 1}, at::TensorOptions(model_.device()));
    const bool gram = curvature_ == "gram";
    const at::Tensor logits = gram ? add_gram(batch, sums) : add_fisher(batch, sums);
    sums[model_.layout().size()].copy_(summed_loss(logits.detach(), batch.targets));
    return sums;
  }

 private:
  at::Tensor module_of(const at::Tensor& sums, std::size_t index) const {
    const AdaptedModule& module = model_.layout().modules()[index];
    return sums.narrow(0, module.offset, module.size()).view({module.out, module.in});
  }

  // These return the logits.
  at::Tensor add_fisher(const Batch& batch, const at::Tensor& sums) const {
    const std::vector<std::int64_t> tokens = model_.tokens(batch);
    const GradientTap tap = [&](std::size_t index, const at::Tensor& x, const at::Tensor& g) {
      // A layer that sees a sample's pooled token alone has one row for each.
      const std::vector<std::int64_t> single(tokens.size(), 1);
      const std::vector<std::int64_t>& lengths = x.size(0) == std::ssize(tokens) ? single : tokens;
      add_squared_products(g, x, lengths, module_of(sums, index));
    };
    const at::Tensor logits = head_logits(model_.features(batch, {.tap = &tap}), head_);
    backward(curvature_, logits, batch);
    return logits;
  }

  at::Tensor add_gram(const Batch& batch, const at::Tensor& sums) const {
    const c10::NoGradGuard no_grad;
    const at::Tensor holds = holds_token(batch);
    const InputTap tap = [&](std::size_t index, const at::Tensor& input) {
      at::Tensor squares = input.to(at::kFloat).square();
      if (holds.defined()) squares.mul_(holds);
      module_of(sums, index).add_(squares.sum(0));
    };
    return head_logits(model_.features(batch, {.input_tap = &tap}), head_);
  }

  std::string curvature_;
  const Backbone& model_;
  PlacedHead head_;
};

// [samples] of a chunk, for the labels that are drawn.
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

}  // namespace

std::string curvature_kind(std::string_view curvature) {
  return curvature == "gram" ? "gram-diagonal" : concat(curvature, "-per-sample");
}

std::int64_t loss_chunk(const Session& session) {
  const std::int64_t lanes = session.lanes.count;
  return std::min(session.config.evaluation_batch, (session.config.batch + lanes - 1) / lanes);
}

Fisher measure_curvature(Session& session, const Task& task, const Head& head) {
  const Watchdog::Phase phase(session.watchdog, "Fisher pass", 10);
  const std::string& curvature = session.config.curvature;
  const std::int64_t size = session.model->layout().size();
  RecordedPass pass(session.placement.make_graph, CurvaturePass(session, head));
  LaneSum sums = lane_sum(session, size + 1);
  add_chunks(session, task, sums, [&](const Chunk& chunk, Batch& batch) {
    if (curvature == "expected-sampled") batch.numbers = uniform_numbers(session, task, chunk);
    return pass(batch);
  });

  const std::int64_t samples = task.train.size();
  Fisher fisher{.values = {}, .samples = samples, .loss = 0, .kind = curvature_kind(curvature)};
  bool is_finite = true;
  if (const at::Tensor total = sums.reduce_to_root(); total.defined()) {
    const at::Tensor mean = total.div(static_cast<double>(samples)).to(at::kCPU);
    const at::Tensor values = mean.narrow(0, 0, size).to(at::kFloat);
    fisher.values.assign(values.const_data_ptr<float>(), values.const_data_ptr<float>() + size);
    fisher.loss = mean[size].item<double>();
    is_finite = at::isfinite(mean).all().item<bool>();
  }
  session.group.broadcast(std::as_writable_bytes(std::span(&fisher.loss, 1)), 0,
                          "broadcast of the loss after training");
  if (session.group.any(!is_finite, "agreement on the Fisher")) {
    throw DivergedError(concat("task ", task.index + 1,
                               ": the Fisher or the loss after training is not finite (loss ",
                               fisher.loss, "); lower --lr or set --clip-norm"));
  }
  return fisher;
}

double mean_loss(Session& session, const Task& task, const Head& head) {
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(session.watchdog, "loss pass", 10);
  const PlacedHead placed = place(head, session.device());
  RecordedPass pass(session.placement.make_graph, [&](const Batch& batch) {
    return summed_loss(head_logits(session.model->features(batch), placed), batch.targets).view(1);
  });
  LaneSum sums = lane_sum(session, 1);
  add_chunks(session, task, sums, [&](const Chunk&, Batch& batch) { return pass(batch); });
  return sums.reduce()[0].item<double>() / static_cast<double>(task.train.size());
}

double mean_loss_of_features(Session& session, const Task& task, const at::Tensor& features,
                             const Head& head) {
  const c10::NoGradGuard no_grad;
  const PlacedHead placed = place(head, session.device());
  const at::Tensor targets = queued_copy(at::tensor(task.train.targets), session.device());
  LaneSum sums = lane_sum(session, 1);
  const auto all = chunks(task.train.size(), loss_chunk(session));
  for (std::size_t i = 0; i < sums.own_lanes().size(); ++i) {
    for (std::int64_t c = sums.own_lanes()[i]; c < std::ssize(all); c += session.lanes.count) {
      const std::vector<std::int64_t>& positions = all[static_cast<std::size_t>(c)];
      const auto rows = [&](const at::Tensor& of_all) {
        return of_all.narrow(0, positions.front(), std::ssize(positions));
      };
      at::Tensor part = sums.part(i);
      part.add_(summed_loss(head_logits(rows(features), placed), rows(targets)).view(1));
    }
  }
  return sums.reduce()[0].item<double>() / static_cast<double>(task.train.size());
}

}  // namespace palimpsest
