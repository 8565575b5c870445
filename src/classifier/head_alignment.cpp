#include "palimpsest/classifier/head_alignment.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/model/flat_parameters.h"

namespace palimpsest {
namespace {

// Of SLCA, by its first authors' code.
constexpr std::int64_t kPasses = 5;
constexpr double kLearningRate = 0.01, kMomentum = 0.9, kWeightDecay = 5e-4;
constexpr double kTemperature = 0.1, kSmallestNorm = 1e-7, kDrawnVariance = 1e-4;

// [kDrawsPerClass * classes, features] of one pass, class after class: the largest thing in an
// alignment.
void draw_pass(std::span<const ClassStatistics> statistics, std::uint64_t seed, std::int64_t pass,
               const at::Tensor& features) {
  const auto tasks = static_cast<double>(statistics.size());
  ClassDraws draws{.seed = seed,
                   .task = std::ssize(statistics) - 1,
                   .first = pass * kDrawsPerClass,
                   .count = kDrawsPerClass};
  for (std::size_t task = 0; task < statistics.size(); ++task) {
    const double mean_factor = 0.9 + 0.1 * static_cast<double>(task + 1) / tasks;
    for (std::int64_t c = 0; c < statistics[task].classes(); ++c, ++draws.label) {
      features.narrow(0, draws.label * kDrawsPerClass, kDrawsPerClass)
          .copy_(draw_features(statistics[task], c, mean_factor, kDrawnVariance, draws));
      progress_made();
    }
  }
}

}  // namespace

void put_class_statistics(NamedTensors& memory, std::string_view own, std::int64_t task,
                          const ClassStatistics& statistics) {
  const std::string place = concat(own, '/', task);
  const auto put = [&](const char* array, const at::Tensor& tensor) {
    memory.put(place + array,
               {.dims = tensor.sizes().vec(), .values = to_host(tensor), .keeper = Keeper::kRoot});
  };
  put("/mean", statistics.mean);
  put("/factor", statistics.factor);
  put("/rest", statistics.rest);
}

ClassStatistics class_statistics_in(const NamedTensors& memory, std::string_view own,
                                    std::int64_t task) {
  const std::string place = concat(own, '/', task);
  const auto view = [&](const char* array, const TensorDims& expected) {
    const auto& values = memory.values<float>(place + array, expected);
    return at::from_blob(const_cast<float*>(values.data()), memory.at(place + array).dims);
  };
  const at::Tensor mean = view("/mean", {kAnySize, kAnySize});
  const at::Tensor factor = view("/factor", {mean.size(0), kAnySize, mean.size(1)});
  const at::Tensor rest = view("/rest", {mean.size(0)});
  if (!rest.ge(0).all().item<bool>())
    throw Error(concat(place, "/rest: expected no value below 0"));
  return {.mean = mean, .factor = factor, .rest = rest};
}

at::Tensor alignment_loss(const at::Tensor& logits, const at::Tensor& targets,
                          std::span<const std::int64_t> classes) {
  std::vector<at::Tensor> norms;
  std::int64_t first = 0;
  for (const std::int64_t count : classes) {
    norms.push_back(logits.narrow(1, first, count).norm(2, {1}, /*keepdim=*/true));
    first += count;
  }
  const at::Tensor norm = at::cat(norms, 1).add(kSmallestNorm).mean({1}, /*keepdim=*/true);
  return at::cross_entropy_loss(logits.div(norm.mul(kTemperature)), targets);
}

std::vector<Head> aligned_heads(std::span<const Head> heads,
                                std::span<const ClassStatistics> statistics, std::uint64_t seed,
                                at::Device device) {
  const Head all = joined(heads);
  FlatParameters parameters({{all.classes, all.features}, {all.classes}}, device);
  const DeviceHead head{.weight = parameters.leaves()[0],
                        .bias = parameters.leaves()[1],
                        .kind = place(all, device).kind};
  load_head(head, all);
  std::vector<std::int64_t> classes;
  for (const Head& one : heads) classes.push_back(one.classes);

  const std::int64_t task = std::ssize(heads) - 1, draws = kDrawsPerClass * all.classes;
  const at::TensorOptions options(device);
  const at::Tensor features = at::empty({draws, all.features}, options);
  const at::Tensor labels =
      at::arange(all.classes, options.dtype(at::kLong)).repeat_interleave(kDrawsPerClass);
  const Sampler sampler({.seed = seed, .batch = kDrawsPerClass, .passes = kPasses}, task, draws);
  const at::Tensor gradient = at::zeros_like(parameters.flat());
  const at::Tensor momentum = at::zeros_like(parameters.flat());
  for (std::int64_t pass = 0; pass < kPasses; ++pass) {
    draw_pass(statistics, seed, pass, features);
    const double share = static_cast<double>(pass) / kPasses;
    const double rate = kLearningRate * 0.5 * (1 + std::cos(std::numbers::pi * share));
    at::Tensor sum = at::zeros({}, options);
    for (std::int64_t i = 0; i < sampler.steps_per_pass(); ++i) {
      const at::Tensor rows =
          at::tensor(sampler.batch(pass * sampler.steps_per_pass() + i)).to(device);
      const at::Tensor loss = alignment_loss(head.logits(features.index_select(0, rows)),
                                             labels.index_select(0, rows), classes);
      parameters.gather(torch::autograd::grad({loss}, parameters.leaves(), {}, std::nullopt,
                                              /*create_graph=*/false, /*allow_unused=*/true),
                        gradient);
      const c10::NoGradGuard no_grad;
      momentum.mul_(kMomentum).add_(gradient).add_(parameters.flat(), kWeightDecay);
      parameters.flat().sub_(momentum, rate);
      sum.add_(loss);
      progress_made();
    }
    if (const double value = sum.item<double>(); !std::isfinite(value)) {
      throw DivergedError(concat("alignment of the heads after task ", task + 1, ", pass ",
                                 pass + 1, ": loss ", value,
                                 "; expected a finite number. The task's head or features are not "
                                 "finite: lower --head-lr or --lr"));
    }
  }
  std::vector<Head> aligned(heads.begin(), heads.end());
  const std::vector<float> weight = to_host(head.weight), bias = to_host(head.bias);
  auto next_weight = weight.begin();
  auto next_bias = bias.begin();
  for (Head& one : aligned) {
    for (float& value : one.weight) value = *next_weight++;
    for (float& value : one.bias) value = *next_bias++;
  }
  return aligned;
}

}  // namespace palimpsest
