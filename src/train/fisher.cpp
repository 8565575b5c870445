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
#include "palimpsest/device/streams.h"
#include "palimpsest/model/head.h"
#include "palimpsest/model/host_kernels.h"
#include "palimpsest/model/recorded_pass.h"

namespace palimpsest {
namespace {

// Runs `pass` over all chunks of the training set, dealt into lanes; returns the sum of what it
// returns, `size` float64. `numbers`: of the batch of these positions, where it needs some.
using BatchNumbers = std::function<at::Tensor(std::span<const std::int64_t> positions)>;
at::Tensor sum_over_chunks(const TrainingContext& context, const Task& task, std::int64_t size,
                           RecordedPass pass, const BatchNumbers& numbers = {}) {
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
      const std::vector<std::int64_t>& positions = all[static_cast<std::size_t>(chunk)];
      Batch batch = context.reader.test_view(task.train, positions);
      if (numbers) batch.numbers = numbers(positions);
      at::Tensor part = sums.part(i);
      part.add_(pass(batch));
      pace.queued();
    }
  }
  return sums.reduce();
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
  CurvaturePass(const TrainingContext& context, const Head& head)
      : curvature_(context.config.curvature),
        model_(context.model),
        head_(place(head, context.model.device())) {}

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

// For the labels that are drawn.
BatchNumbers uniform_numbers(const TrainingContext& context, const Task& task) {
  return [&](std::span<const std::int64_t> positions) {
    std::vector<double> numbers;
    for (const std::int64_t position : positions) {
      const auto sample =
          static_cast<std::uint64_t>(task.train.samples[static_cast<std::size_t>(position)]);
      numbers.push_back(RandomStream(context.config.seed, Purpose::kFisherLabel,
                                     static_cast<std::uint32_t>(task.index), sample)
                            .uniform());
    }
    return queued_copy(at::tensor(numbers, at::kDouble), context.model.device());
  };
}

}  // namespace

std::string curvature_kind(std::string_view curvature) {
  return curvature == "gram" ? "gram-diagonal" : concat(curvature, "-per-sample");
}

Fisher measure_curvature(const TrainingContext& context, const Task& task, const Head& head) {
  const Watchdog::Phase phase(context.watchdog, "Fisher pass", 10);
  const std::string& curvature = context.config.curvature;
  const std::int64_t size = context.model.layout().size();
  const at::Tensor total = sum_over_chunks(
      context, task, size + 1, RecordedPass(context.make_graph, CurvaturePass(context, head)),
      curvature == "expected-sampled" ? uniform_numbers(context, task) : BatchNumbers());

  const std::int64_t samples = task.train.size();
  const at::Tensor mean = total.div(static_cast<double>(samples)).to(at::kCPU);
  const at::Tensor values = mean.narrow(0, 0, size).to(at::kFloat);
  Fisher fisher{.values = {values.const_data_ptr<float>(), values.const_data_ptr<float>() + size},
                .samples = samples,
                .loss = mean[size].item<double>(),
                .kind = curvature_kind(curvature)};
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
    const at::Tensor logits = head_logits(context.model.features(batch), placed);
    return summed_loss(logits, batch.targets).view({1});
  };
  const at::Tensor total =
      sum_over_chunks(context, task, 1, RecordedPass(context.make_graph, pass));
  return total[0].item<double>() / static_cast<double>(task.train.size());
}

}  // namespace palimpsest
