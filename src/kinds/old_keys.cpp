#include "old_keys.h"

#include <algorithm>

namespace palimpsest {
namespace {

const std::vector<std::string_view> kPerturbed = {"sign", "gaussian", "stratified"};
const std::vector<std::string_view> kCurvatures = {"empirical", "expected-sampled",
                                                   "expected-exact", "gram"};

}  // namespace

const std::vector<OldKey>& old_keys() {
  static const std::vector<OldKey> keys = {
      {"image-transform", {"resize-crop"}, "size", "image-size", "224"},
      {"image-transform", {"resize-crop"}, "crop", "crop-share", "0"},
      {"image-transform", {"resize-crop"}, "interpolation", "interpolation", "auto"},
      {"image-transform", {"resize-crop"}, "normalisation", "normalisation", "backbone"},
      {"image-transform", {"resize-crop"}, "squash", "", "false", false, true},
      {"augmentation", {"auto-augment"}, "policy", "", "imagenet"},
      {"augmentation",
       {"crop-flip", "crop-flip-jitter", "rand-augment", "auto-augment"},
       "min-scale",
       "crop-scale-min",
       "0.08"},
      {"augmentation", {"crop-flip-jitter"}, "jitter", "colour-jitter", "0.4"},
      {"augmentation", {"rand-augment"}, "operations", "rand-augment-operations", "2"},
      {"augmentation", {"rand-augment"}, "magnitude", "rand-augment-magnitude", "9"},
      {"schedule", {"multistep"}, "milestones", "milestones", "0.5+0.8"},
      {"schedule", {"multistep"}, "factor", "milestone-factor", "0.1"},
      {"schedule", {"constant", "cosine", "multistep"}, "warmup", "warmup-steps", "0"},
      {"nonfinite", {"skip"}, "limit", "nonfinite-limit", "10"},
      {"adapter", {"lora"}, "rank", "lora-rank", "10"},
      {"adapter", {"lora"}, "alpha", "lora-alpha", "10"},
      {"adapter", {"lora", "none"}, "targets", "lora-targets", "key+value"},
      {"adapter", {"lora"}, "a", "", "kaiming"},
      {"adapter", {"lora"}, "tasks", "", "0", false, true},
      {"objective", {"classes"}, "temperature", "", "1", false, true},
      {"objective", {"cosface"}, "margin", "", "0.35"},
      {"objective", {"cosface"}, "scale", "", "64"},
      {"perturbation", kPerturbed, "epsilon", "epsilon", "0.5"},
      {"penalty", {"ewc"}, "weight", "", "1"},
      {"merge", {"closed-form"}, "by", "", "global"},
      {"merge", {"closed-form"}, "shrink", "", "0"},
      {"curvature", kCurvatures, "scale", "fisher-scale", "secant"},
      {"curvature", kCurvatures, "samples", "", "all", false, true},
      {"head", {"cosine", "prototype"}, "scale", "head-scale", "16"},
      {"classifier", {"local"}, "refit", "head-refit", "0"},
      {"classifier", {"local"}, "align", "head-align", "none"},
      {"classifier", {"local"}, "normalise", "", "false", false, true},
      {"classifier", {"ridge"}, "projection", "", "0", false, true},
      {"classifier", {"ridge"}, "lambda", "", "auto", false, true},
      {"device", {"auto", "cpu", "cuda"}, "threads", "threads", "1"},
      {"device", {"auto", "cuda"}, "share", "share-device", "false", true},
      {"device", {"auto", "cuda"}, "graphs", "cuda-graphs", "true", true},
      {"progress", {"auto", "bar", "plain"}, "every", "log-every", "50", true},
  };
  return keys;
}

const std::map<std::string_view, std::string_view>& default_kinds() {
  static const std::map<std::string_view, std::string_view> kinds = {
      {"image-transform", "resize-crop"},
      {"augmentation", "crop-flip"},
      {"schedule", "cosine"},
      {"nonfinite", "stop"},
      {"adapter", "lora"},
      {"objective", "classes"},
      {"perturbation", "sign"},
      {"penalty", "none"},
      {"merge", "closed-form"},
      {"curvature", "empirical"},
      {"head", "linear"},
      {"classifier", "local"},
      {"device", "auto"},
      {"progress", "auto"}};
  return kinds;
}

bool is_of(const OldKey& key, std::string_view kind) {
  return std::ranges::find(key.kinds, kind) != key.kinds.end();
}

const OldKey* find_by_old_name(std::string_view name) {
  const auto found = std::ranges::find(old_keys(), name, &OldKey::old_name);
  return found == old_keys().end() || name.empty() ? nullptr : &*found;
}

const OldKey* find_old_key(std::string_view setting, std::string_view key) {
  const auto found = std::ranges::find_if(old_keys(), [&](const OldKey& known) {
    return known.setting == setting && known.key == key;
  });
  return found == old_keys().end() ? nullptr : &*found;
}

}  // namespace palimpsest
