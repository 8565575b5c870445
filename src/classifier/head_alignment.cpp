#include "palimpsest/classifier/head_alignment.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/format/heads.h"

namespace palimpsest {
namespace {

// [kDrawsPerClass * classes, features]. The largest thing in an alignment: the host's copy ends
// here.
at::Tensor drawn_features(std::span<const ClassStatistics> statistics, std::uint64_t seed,
                          std::int64_t task, std::int64_t classes, at::Device device) {
  const std::int64_t features = statistics.front().features, draws = kDrawsPerClass * classes;
  std::vector<float> rows;
  rows.reserve(static_cast<std::size_t>(draws * features));
  std::int64_t first = 0;
  for (const ClassStatistics& known : statistics) {
    draw_features(known, seed, task, first, kDrawsPerClass, rows);
    first += known.classes;
  }
  return from_host(rows, {draws, features}, device);
}

}  // namespace

std::vector<ClassStatistics> class_statistics_in(const NamedTensors& memory) {
  std::vector<ClassStatistics> all;
  for (const std::string& place : places_by_task(memory, kClassStatistics)) {
    const auto& mean = memory.values<float>(place + "/mean", {kAnySize, kAnySize});
    const TensorDims& dims = memory.at(place + "/mean").dims;
    const auto& variance = memory.values<float>(place + "/variance", dims);
    if (!std::ranges::all_of(variance, [](float value) { return value >= 0; }))
      throw Error(concat(place, "/variance: expected no value below 0"));
    all.push_back({.classes = dims[0], .features = dims[1], .mean = mean, .variance = variance});
  }
  return all;
}

void put_class_statistics(NamedTensors& memory, std::int64_t task, ClassStatistics statistics) {
  const std::string place = concat(kClassStatistics, '/', task);
  const TensorDims dims = {statistics.classes, statistics.features};
  memory.put(place + "/mean", {.dims = dims, .values = std::move(statistics.mean)});
  memory.put(place + "/variance", {.dims = dims, .values = std::move(statistics.variance)});
}

std::vector<Head> aligned_heads(std::span<const Head> heads,
                                std::span<const ClassStatistics> statistics,
                                const HeadTrainingSettings& settings, std::int64_t task,
                                const Objective& objective, at::Device device) {
  std::int64_t classes = 0;
  for (const ClassStatistics& known : statistics) classes += known.classes;
  std::vector<std::int64_t> targets;
  for (std::int64_t c = 0; c < classes; ++c) {
    targets.insert(targets.end(), static_cast<std::size_t>(kDrawsPerClass), c);
  }
  const at::Tensor features =
      drawn_features(statistics, settings.batches.seed, task, classes, device);
  const Head all = joined(heads);
  const Head together = train_head(features, targets, classes, task, all, place(all, device).kind,
                                   objective, settings)
                            .head;
  std::vector<Head> aligned(heads.begin(), heads.end());
  auto weight = together.weight.begin();
  auto bias = together.bias.begin();
  for (Head& head : aligned) {
    for (float& value : head.weight) value = *weight++;
    for (float& value : head.bias) value = *bias++;
  }
  return aligned;
}

}  // namespace palimpsest
