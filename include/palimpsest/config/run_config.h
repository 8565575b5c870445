#pragma once
// The settings of a run, resolved: defaults, then the .cfg files, then the command line.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "palimpsest/core/choice.h"
#include "palimpsest/core/device_kind.h"
#include "palimpsest/core/scenario.h"

namespace palimpsest {

enum class Pooling { kAuto, kClass, kMean };
constexpr auto choices(Pooling) { return std::array<std::string_view, 3>{"auto", "class", "mean"}; }

enum class Interpolation { kAuto, kBilinear, kBicubic };
constexpr auto choices(Interpolation) {
  return std::array<std::string_view, 3>{"auto", "bilinear", "bicubic"};
}

enum class Normalisation { kBackbone, kNone };
constexpr auto choices(Normalisation) {
  return std::array<std::string_view, 2>{"backbone", "none"};
}

enum class Precision { kFp32, kBf16 };
constexpr auto choices(Precision) { return std::array<std::string_view, 2>{"fp32", "bf16"}; }

enum class Resume { kNever, kAuto };
constexpr auto choices(Resume) { return std::array<std::string_view, 2>{"never", "auto"}; }

// How an image becomes what the backbone sees, without augmentation.
struct ImageSettings {
  enum class Kind { kResizeCrop } kind = Kind::kResizeCrop;
  std::int64_t size = 224;
  double crop = 0;  // side of the centre crop over the short side; 0: as the backbone says
  Interpolation interpolation = Interpolation::kAuto;
  Normalisation normalisation = Normalisation::kBackbone;
  bool squash = false;  // both sides are resized, whatever the image's shape

  bool operator==(const ImageSettings&) const = default;
};
constexpr auto choices(ImageSettings::Kind) {
  return std::array<std::string_view, 1>{"resize-crop"};
}

// What is drawn again for each image in each pass of the training.
struct Augmentation {
  enum class Kind {
    kNone,
    kCropFlip,
    kCropFlipJitter,
    kRandAugment,
    kAutoAugment
  } kind = Kind::kCropFlip;
  enum class Policy { kImageNet, kCifar10 };
  double min_scale = 0.08;  // smallest share of the area that a random crop keeps
  double jitter = 0.4;      // of brightness, contrast and saturation
  std::int64_t operations = 2;
  double magnitude = 9;  // of bins 0 .. 30
  Policy policy = Policy::kImageNet;

  bool operator==(const Augmentation&) const = default;
};
constexpr auto choices(Augmentation::Kind) {
  return std::array<std::string_view, 5>{"none", "crop-flip", "crop-flip-jitter", "rand-augment",
                                         "auto-augment"};
}
constexpr auto choices(Augmentation::Policy) {
  return std::array<std::string_view, 2>{"imagenet", "cifar10"};
}

// The learning rate over the steps of a task.
struct Schedule {
  enum class Kind { kConstant, kCosine, kMultistep } kind = Kind::kCosine;
  std::vector<double> milestones = {0.5, 0.8};  // as shares of the steps after warm-up
  double factor = 0.1;                          // multiplied in at each milestone
  std::int64_t warmup = 0;                      // steps, linear from 1/(warmup+1)

  bool operator==(const Schedule&) const = default;
};
constexpr auto choices(Schedule::Kind) {
  return std::array<std::string_view, 3>{"constant", "cosine", "multistep"};
}

// What becomes of a step whose loss or gradient isn't finite.
struct NonfiniteSettings {
  enum class Kind { kStop, kSkip } kind = Kind::kStop;
  std::int64_t limit = 10;  // skipped steps of a task

  bool operator==(const NonfiniteSettings&) const = default;
};
constexpr auto choices(NonfiniteSettings::Kind) {
  return std::array<std::string_view, 2>{"stop", "skip"};
}

struct DeviceSettings {
  DeviceKind kind = DeviceKind::kAuto;
  std::int64_t threads = 1;  // of a rank, for tensor operations
  bool share = false;        // several ranks may have the same one
  bool graphs = true;        // CUDA graphs

  bool operator==(const DeviceSettings&) const = default;
};

struct ProgressSettings {
  enum class Kind { kAuto, kBar, kPlain, kNone } kind = Kind::kAuto;
  std::int64_t every = 50;  // steps between plain lines

  bool operator==(const ProgressSettings&) const = default;
};
constexpr auto choices(ProgressSettings::Kind) {
  return std::array<std::string_view, 4>{"auto", "bar", "plain", "none"};
}

// Which tasks are tested after a task: all of those seen, or the newest alone. After the last one
// all are.
struct EvaluationSettings {
  enum class Kind { kAll, kLast, kEvery } kind = Kind::kAll;
  std::int64_t tasks = 10;

  bool operator==(const EvaluationSettings&) const = default;
};
constexpr auto choices(EvaluationSettings::Kind) {
  return std::array<std::string_view, 3>{"all", "last", "every"};
}

struct RunConfig {
  // Input and output.
  std::string pack;
  std::string protocol;
  std::string backbone;  // folder with model.safetensors and config.json
  std::string out = "runs/run";

  // The stream.
  std::uint64_t seed = 1;
  std::int64_t tasks = 0;  // 0: all of the protocol's
  Scenario scenario = Scenario::kClassIncremental;
  bool joint = false;     // all tasks at once: the upper bound
  double validation = 0;  // share of the training samples that is kept out of training
  std::string general;    // a pack of sequences that belongs to no task; "": none

  // Images.
  ImageSettings image_transform;
  Pooling pooling = Pooling::kAuto;
  Augmentation augmentation;

  // Training.
  std::int64_t epochs = 10;
  std::int64_t passes_per_epoch = 1;
  std::int64_t batch = 256;  // global, over all ranks
  bool drop_last = false;
  double lr = 1e-3;  // of A and B
  double head_lr = 1e-2;
  double weight_decay = 0;
  Schedule schedule;
  double clip_norm = 0;  // 0: no clipping
  NonfiniteSettings nonfinite;

  // The parts of the method, each as the shortest text NAME[:key=value,...].
  std::string adapter = "lora";
  std::string objective = "classes";
  std::string perturbation = "sign";
  std::string penalty = "none";
  std::string merge = "closed-form";
  std::string curvature = "empirical";
  std::string head = "linear";
  std::string classifier = "local";
  bool error_budget = true;  // measure by how much a merge raised the task's loss
  EvaluationSettings evaluate;
  bool evaluate_before_merge = true;  // on the same tasks; false: on the newest alone

  // Machine.
  std::int64_t lanes = 4;  // 0: one a rank
  DeviceSettings device;
  Precision precision = Precision::kFp32;  // of the backbone, see the key's help
  bool activation_checkpointing = false;
  std::int64_t evaluation_batch = 64;
  std::int64_t hang_seconds = 300;
  bool shard_memory = false;  // ranks keep shards of what is as large as the adapted weights
  std::string stage;  // a folder of each node for a copy of the pack; "": read it where it is

  // Run.
  Resume resume = Resume::kNever;
  std::string fork;           // a run folder or a state of one
  std::string continue_from;  // a run folder, to learn more tasks from another pack
  bool allow_numerics_change = false;
  std::int64_t checkpoint_every = 0;  // steps; 0: not by steps
  double checkpoint_minutes = 10;     // 0: not by time
  double stop_after = 0;              // minutes; 0: never
  ProgressSettings progress;
  bool tensorboard = true;  // write event files
  bool profile = false;     // a trace of phases and collectives, by rank
  bool dry_run = false;

  bool operator==(const RunConfig&) const = default;
};

}  // namespace palimpsest
