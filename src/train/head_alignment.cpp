#include "palimpsest/train/head_alignment.h"

#include <ATen/ATen.h>

#include "palimpsest/device/host_copy.h"
#include "palimpsest/train/class_statistics.h"
#include "palimpsest/train/head.h"

namespace palimpsest {

std::vector<Head> aligned_heads(std::span<const Head> heads,
                                std::span<const ClassStatistics> statistics,
                                const RunConfig& config, std::int64_t task, at::Device device) {
  std::vector<float> rows;
  std::vector<std::int64_t> targets;
  std::int64_t classes = 0;
  for (const ClassStatistics& known : statistics) {
    draw_features(known, config.seed, task, classes, kDrawsPerClass, rows);
    for (const std::int64_t end = classes + known.classes; classes < end; ++classes) {
      targets.insert(targets.end(), static_cast<std::size_t>(kDrawsPerClass), classes);
    }
  }
  const at::Tensor features =
      from_host(rows, {std::ssize(targets), statistics.front().features}, device);
  const Head together =
      train_head(features, targets, classes, config, task, config.head_align_epochs, joined(heads))
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
