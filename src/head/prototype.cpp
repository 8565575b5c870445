// Nearest class mean by cosine (SimpleCIL; Zhou et al., IJCV 2024): each class's weight is the mean
// of its samples' features. Nothing is trained.
#include <ATen/ATen.h>

#include "cosine.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/head/class_statistics.h"

namespace palimpsest {
namespace {

class Prototype : public CosineLogits {
 public:
  using CosineLogits::CosineLogits;
  HeadWeights weights() const override { return HeadWeights::kFromFeatures; }
  Head from_features(const at::Tensor& features, std::span<const std::int64_t> targets,
                     std::int64_t classes) const override {
    return {.classes = classes,
            .features = features.size(1),
            .weight = class_means(to_host(features), targets, classes),
            .bias = std::vector<float>(static_cast<std::size_t>(classes)),
            .kind = std::string(recorded_kind()),
            .scale = scale()};
  }
};

}  // namespace

HeadKind prototype_head() {
  return {.name = "prototype",
          .help =
              "Scale times the cosine of features and class means, without training (SimpleCIL). "
              "Needs adapter none. Not in the paper.",
          .keys = {cosine_scale()},
          .make = make_kind<Prototype>};
}

}  // namespace palimpsest
