#pragma once
// A stream of two classes and a transformer of two blocks, small enough to be made again for every
// test, and all that a pass over its task takes.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "../../src/format/h5.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/random.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/model/bert.h"
#include "palimpsest/model/vit.h"
#include "palimpsest/session/session.h"
#include "palimpsest/train/fisher.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {

// Uniform numbers that depend on the name alone; norms' weights are near 1.
inline TensorLoader tiny_weights(at::Device device) {
  return [device](const std::string& name, const std::vector<std::int64_t>& shape) {
    at::Tensor values = at::empty(shape);
    std::uint64_t index = 0;
    for (const char letter : name) index = index * 31 + static_cast<unsigned char>(letter);
    fill_uniform({values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())}, 0.3,
                 RandomStream(5, Purpose::kTest, 0, index));
    if (name.find("orm") != std::string::npos && name.ends_with("weight")) values.add_(1);
    return values.to(device);
  };
}

// The loss of every step.
class LossCurve final : public RunListener {
 public:
  using RunListener::on;
  void on(const StepDone& step) override { losses.push_back(step.loss); }
  std::vector<double> losses;
};

class TinyStream {
 public:
  // `texts`: of 3 to 30 tokens; else images of 12 to 20 pixels a side.
  TinyStream(bool texts, const Placement& placement, HostGroup& group, Watchdog& watchdog)
      : file_(std::filesystem::temp_directory_path() /
              ("palimpsest-tiny-" + std::to_string(::getpid()) + ".h5")),
        texts_(texts),
        placement_(placement),
        group_(group),
        watchdog_(watchdog) {
    texts ? write_texts() : write_images();
    const Pack pack(file_);
    task_.name = "tiny";
    task_.classes = {"a", "b"};
    for (std::int64_t sample = 0; sample < kSamples; ++sample) {
      LabelledSamples& split = pack.is_test(sample) ? task_.test : task_.train;
      split.samples.push_back(sample);
      split.targets.push_back(pack.label(sample));
    }
    config.batch = 8;
    config.epochs = 4;
    config.adapter = "lora:rank=4";
    config.lr = config.head_lr = 0.02;
    config.image_transform.size = 16;
    config.evaluation_batch = 4;
    config.augmentation.kind = Augmentation::Kind::kCropFlipJitter;
    config.clip_norm = 0.5;
  }
  ~TinyStream() { std::filesystem::remove(file_); }
  TinyStream(const TinyStream&) = delete;
  TinyStream& operator=(const TinyStream&) = delete;

  const Task& task() const { return task_; }

  // A new model, and what trains it.
  Session session(MakeGraph make_graph) {
    const BackboneChoice choice{
        .targets = {"query", "key", "value", "fc1"},
        .image_size = config.image_transform.size,
        .precision = config.precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat,
        .activation_checkpointing = config.activation_checkpointing};
    const TensorLoader weights = tiny_weights(placement_.device);
    std::unique_ptr<Backbone> model;
    if (texts_) {
      model = std::make_unique<Bert>(BertConfig{.hidden = 32,
                                                .layers = 2,
                                                .heads = 2,
                                                .intermediate = 64,
                                                .vocabulary = 100,
                                                .positions = attention_bias ? 30 : 40,
                                                .attention_buckets = attention_bias ? 32 : 0,
                                                .hidden_act = "gelu"},
                                     choice, weights, placement_.device);
    } else {
      model = std::make_unique<Vit>(
          VitConfig{
              .width = 32, .depth = 2, .heads = 2, .mlp = 64, .patch = 8, .grid = 2, .placed = 1},
          choice, weights, placement_.device);
    }
    const AdaptedLayout layout = model->layout();
    pretrained_ = make_weights(std::vector<float>(static_cast<std::size_t>(layout.size())));
    Placement placement =
        make_placement(placement_.device.is_cuda() ? DeviceKind::kCuda : DeviceKind::kCpu, false,
                       group_, watchdog_);
    placement.make_graph = std::move(make_graph);
    Session session{.config = config,
                    .group = group_,
                    .watchdog = watchdog_,
                    .events = events,
                    .stop = StopRequest(group_, 0),
                    .lanes = {.count = 4},
                    .inputs = {.pack = Pack(file_),
                               .transform = {.size = config.image_transform.size,
                                             .augmentation = config.augmentation}},
                    .placement = std::move(placement),
                    .pixels = PixelSource(placement_.device, placement_.room_for_images()),
                    .model = std::move(model),
                    .shards = Shards(layout, false, group_.rank(), group_.size())};
    load_weights(session, pretrained_);
    return session;
  }

  // Of the newest session's model.
  const AdaptedWeights& pretrained() const { return pretrained_; }

  RunConfig config;
  RunEvents events;
  bool attention_bias = false;  // texts: with MPNet's, and no longer than the longest text

 private:
  static constexpr std::int64_t kSamples = 40;  // every fifth one for testing

  // Classes differ in what most of their numbers are.
  void write_texts() {
    std::vector<std::vector<std::int32_t>> samples;
    for (std::int64_t sample = 0; sample < kSamples; ++sample) {
      RandomStream stream(2, Purpose::kTest, 1, static_cast<std::uint64_t>(sample));
      std::vector<std::int32_t> tokens(3 + stream.below(28));
      for (std::int32_t& token : tokens) {
        token = static_cast<std::int32_t>(50 * (sample % 2) +
                                          static_cast<std::int64_t>(stream.below(50)));
      }
      samples.push_back(std::move(tokens));
    }
    write(samples, "tokens", [](const auto& tokens, std::vector<std::int64_t>& shape) {
      shape.push_back(std::ssize(tokens));
    });
  }

  void write_images() {
    std::vector<std::vector<std::uint8_t>> samples;
    std::vector<std::int64_t> sides;
    for (std::int64_t sample = 0; sample < kSamples; ++sample) {
      RandomStream stream(2, Purpose::kTest, 2, static_cast<std::uint64_t>(sample));
      const auto side = static_cast<std::int64_t>(12 + stream.below(9));
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side * side * 3));
      for (std::uint8_t& pixel : pixels) {
        pixel = static_cast<std::uint8_t>(120 * (sample % 2) +
                                          static_cast<std::int64_t>(stream.below(120)));
      }
      samples.push_back(std::move(pixels));
    }
    write(samples, "pixels", [](const auto& pixels, std::vector<std::int64_t>& shape) {
      const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(pixels.size() / 3)));
      shape.insert(shape.end(), {side, side, 3});
    });
  }

  template <typename T, typename AddShape>
  void write(const std::vector<std::vector<T>>& samples, const std::string& kind,
             const AddShape& add_shape) {
    std::vector<std::uint8_t> bytes, split;
    std::vector<std::int64_t> offsets{0}, shape;
    std::vector<std::uint32_t> checksums;
    std::vector<std::int32_t> labels;
    for (const std::vector<T>& sample : samples) {
      const auto* begin = reinterpret_cast<const std::uint8_t*>(sample.data());
      bytes.insert(bytes.end(), begin, begin + sample.size() * sizeof(T));
      offsets.push_back(std::ssize(bytes));
      add_shape(sample, shape);
      checksums.push_back(crc32c(std::as_bytes(std::span(sample))));
      labels.push_back(static_cast<std::int32_t>(labels.size() % 2));
      split.push_back(split.size() % 5 == 4 ? 1 : 0);
    }
    H5Writer file(file_, "pack");
    file.text("/@kind", kind);
    if (kind == "tokens") {
      file.number<std::int64_t>("/@vocabulary", 100);
      file.number<std::int64_t>("/@longest", 30);
    }
    file.text("/@source", "{}");
    file.numbers<std::uint8_t>("/bytes", {std::ssize(bytes)}, bytes);
    file.numbers<std::int64_t>("/offsets", {kSamples + 1}, offsets);
    file.numbers<std::int64_t>("/shape", {kSamples, std::ssize(shape) / kSamples}, shape);
    file.numbers<std::uint32_t>("/crc32c", {kSamples}, checksums);
    file.numbers<std::int32_t>("/labels", {kSamples}, labels);
    file.numbers<std::uint8_t>("/split", {kSamples}, split);
    file.texts("/classes", std::vector<std::string>{"a", "b"});
    file.finish();
  }

  std::filesystem::path file_;
  bool texts_;
  const Placement& placement_;
  HostGroup& group_;
  Watchdog& watchdog_;
  Task task_;
  AdaptedWeights pretrained_;
};

// A test with such a stream on the processor.
class StreamTest : public testing::Test {
 protected:
  explicit StreamTest(bool texts) : stream_(texts, placement_, group_, watchdog_) {}

  Watchdog watchdog_{60};
  HostGroup group_{watchdog_};
  Placement placement_ = make_placement(DeviceKind::kCpu, false, group_, watchdog_);
  TinyStream stream_;
};

// What follows takes the parts of the method that the session's settings name.

inline TrainedTask trained(Session& session, const Task& task, const TaskBeginning& begin) {
  return train_task(session, task, make_training_parts(session.config), begin,
                    [](const TaskProgress&, const auto&) {});
}

// With the values on every rank: measure_curvature() forms them on rank 0 alone.
inline Fisher curvature_everywhere(Session& session, const Task& task, const Head& head) {
  Fisher fisher =
      measure_curvature(session, task, head, *curvatures().make(session.config.curvature),
                        *objectives().make(session.config.objective));
  fisher.values.resize(static_cast<std::size_t>(session.model->layout().size()));
  session.group.broadcast(std::as_writable_bytes(std::span(fisher.values)), 0, "test");
  return fisher;
}

inline double measure_loss(Session& session, const Task& task, const Head& head) {
  return mean_loss(session, task, head, *objectives().make(session.config.objective));
}

// Of the first task, after no other.
inline EvaluationRow evaluated(Session& session, const AdaptedWeights& weights, const Task& task,
                               const Head& head) {
  const std::span<const Task> tasks(&task, 1);
  NamedTensors memory;
  put_head(memory, 0, head);
  const auto classifier = classifiers().make(session.config.classifier);
  const ClassScores scores =
      classifier->scores(memory, classes_seen(tasks, session.config.scenario), session.device());
  return evaluate(session, weights, tasks, {&scores, 1}).front();
}

}  // namespace palimpsest
