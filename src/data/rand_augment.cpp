#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "palimpsest/data/random_operations.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

constexpr double kMagnitudes = 30;
constexpr std::size_t kRandOperations = 14;  // the first; RandAugment doesn't invert

}  // namespace

at::Tensor rand_augment(at::Tensor images, std::span<RandomStream> streams, std::int64_t operations,
                        double magnitude) {
  const std::span<const ImageOperation> known = image_operations();
  const auto side = static_cast<double>(images.size(3));
  for (std::int64_t round = 0; round < operations; ++round) {
    // Images that drew the same operation go through it together.
    std::array<std::vector<std::int64_t>, kRandOperations> members;
    std::array<std::vector<float>, kRandOperations> strengths;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      const auto drawn = static_cast<std::size_t>(streams[i].below(kRandOperations));
      const bool reversed = streams[i].below(2) == 1;
      const ImageOperation& operation = known[drawn];
      const double size = operation.strength(magnitude / kMagnitudes, side, side);
      members[drawn].push_back(static_cast<std::int64_t>(i));
      strengths[drawn].push_back(
          static_cast<float>(reversed && operation.has_two_directions ? -size : size));
    }
    at::Tensor changed = images.clone();
    for (std::size_t drawn = 0; drawn < members.size(); ++drawn) {
      if (members[drawn].empty()) continue;
      const at::Tensor which = queued_copy(at::tensor(members[drawn], at::kLong), images.device());
      const at::Tensor amounts =
          queued_copy(at::tensor(strengths[drawn], at::kFloat), images.device());
      changed.index_copy_(
          0, which, known[drawn].apply(images.index_select(0, which), amounts, Sampling::kNearest));
    }
    images = changed;
  }
  return images;
}

}  // namespace palimpsest
