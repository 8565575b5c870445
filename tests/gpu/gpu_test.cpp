// A device against the processor, on the same numbers: what is only rounded in another way stays
// within the tolerance that each test states; what must be the same is compared to the bit. Several
// ranks share one device where there are fewer.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <numeric>

#include "palimpsest/comm/cuda_module.h"
#include "palimpsest/data/image_transform.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/device/streams.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

struct Places {
  Places()
      : watchdog(100),
        group(watchdog),
        host(make_placement(DeviceKind::kCpu, false, group, watchdog)),
        device(make_placement(DeviceKind::kCuda, /*share_device=*/true, group, watchdog)) {}
  Watchdog watchdog;
  HostGroup group;
  Placement host, device;
};

// tests/CMakeLists.txt counts a program that prints this as skipped.
constexpr const char* kSkipped = "no GPU on this machine: ";

class Gpu : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    obstacle_ = open_cuda().obstacle;
    if (obstacle_.empty()) places_ = new Places();
  }
  static void TearDownTestSuite() {
    delete places_;
    places_ = nullptr;
  }
  void SetUp() override {
    if (!obstacle_.empty()) GTEST_SKIP() << kSkipped << obstacle_;
  }

  static Places& places() { return *places_; }
  static at::Device device() { return places_->device.device; }

 private:
  static inline std::string obstacle_;
  static inline Places* places_ = nullptr;
};

struct Kind {
  std::string name, precision;
  bool texts;
  std::string curvature = "empirical", perturbation = "sign";
  bool attention_bias = false;
};

// One task on both sides.
class GpuStream : public Gpu, public testing::WithParamInterface<Kind> {
 protected:
  struct Learned {
    TrainedTask task;
    std::vector<double> losses;
    Fisher fisher;
    double loss;
    EvaluationRow row;
  };

  static Learned learn(const Placement& placement, const MakeGraph& make_graph) {
    TinyStream stream(GetParam().texts, placement, places().group, places().watchdog);
    stream.attention_bias = GetParam().attention_bias;
    stream.config.precision = choice<Precision>(GetParam().precision).value();
    stream.config.curvature = GetParam().curvature;
    stream.config.perturbation = GetParam().perturbation;
    stream.config.batch = 6;  // the last batch of a pass is shorter
    LossCurve curve;
    stream.events.add(curve);
    Session session = stream.session(make_graph);
    Learned learned;
    learned.task = trained(session, stream.task(), {.weights = stream.pretrained()});
    learned.losses = curve.losses;
    const AdaptedWeights weights = make_weights(learned.task.task_vector);
    load_weights(session, weights);
    learned.fisher = curvature_everywhere(session, stream.task(), learned.task.head);
    learned.loss = measure_loss(session, stream.task(), learned.task.head);
    learned.row = evaluated(session, weights, stream.task(), learned.task.head);
    return learned;
  }

  // |a - b| / |b|
  static double distance(const std::vector<float>& a, const std::vector<float>& b) {
    const at::Tensor x = at::tensor(a, at::kDouble), y = at::tensor(b, at::kDouble);
    return ((x - y).norm() / y.norm()).item<double>();
  }
};

TEST_P(GpuStream, LearnsWhatTheProcessorLearns) {
  const bool bf16 = GetParam().precision == "bf16";
  const double loss_tolerance = bf16 ? 3e-2 : 1e-4, weight_tolerance = bf16 ? 0.2 : 2e-3;
  const Learned here = learn(places().host, {});
  const Learned there = learn(places().device, places().device.make_graph);
  ASSERT_EQ(here.losses.size(), there.losses.size());
  for (std::size_t step = 0; step < here.losses.size(); ++step) {
    EXPECT_NEAR(there.losses[step], here.losses[step], loss_tolerance) << "step " << step;
  }
  EXPECT_LE(distance(there.task.task_vector, here.task.task_vector), weight_tolerance);
  EXPECT_LE(distance(there.task.head.weight, here.task.head.weight), weight_tolerance);
  EXPECT_LE(distance(there.fisher.values, here.fisher.values), 2 * weight_tolerance);
  EXPECT_NEAR(there.loss, here.loss, loss_tolerance);
  EXPECT_NEAR(there.fisher.loss, here.fisher.loss, loss_tolerance);
  EXPECT_NEAR(there.row.score("correct").sums[0], here.row.score("correct").sums[0], bf16 ? 1 : 0);
}

TEST_P(GpuStream, AGraphGivesTheBitsOfItsKernels) {
  const Learned called = learn(places().device, {});
  const Learned recorded = learn(places().device, places().device.make_graph);
  EXPECT_EQ(called.losses, recorded.losses);
  EXPECT_EQ(called.task.task_vector, recorded.task.task_vector);
  EXPECT_EQ(called.fisher.values, recorded.fisher.values);
  EXPECT_EQ(called.loss, recorded.loss);
  EXPECT_EQ(called.row, recorded.row);
}

TEST_P(GpuStream, TheSameRunGivesTheSameBits) {
  const Learned once = learn(places().device, places().device.make_graph);
  const Learned again = learn(places().device, places().device.make_graph);
  EXPECT_EQ(once.losses, again.losses);
  EXPECT_EQ(once.task.task_vector, again.task.task_vector);
  EXPECT_EQ(once.fisher.values, again.fisher.values);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, GpuStream,
    testing::Values(Kind{"ImagesFp32", "fp32", false}, Kind{"ImagesBf16", "bf16", false},
                    Kind{"TextsFp32", "fp32", true}, Kind{"TextsBf16", "bf16", true},
                    Kind{"MpnetFp32", "fp32", true, "empirical", "sign", true},
                    Kind{"MpnetBf16", "bf16", true, "empirical", "sign", true},
                    Kind{"TextsGram", "fp32", true, "gram", "stratified"},
                    Kind{"TextsSampled", "fp32", true, "expected-sampled"},
                    Kind{"ImagesExact", "fp32", false, "expected-exact", "stratified"}),
    [](const auto& kind) { return kind.param.name; });

struct Step {
  std::string name, perturbation;
  bool ewc = false;
};

// Steps whose numbers change from one to the next: noise, scales, a penalty. Processor and device
// draw different noise, so that only the device is compared with itself.
class GpuSteps : public Gpu, public testing::WithParamInterface<Step> {
 protected:
  struct Learned {
    TrainedTask task;
    std::vector<double> losses;
  };

  static Learned learn(const MakeGraph& make_graph) {
    TinyStream stream(false, places().device, places().group, places().watchdog);
    stream.config.perturbation = GetParam().perturbation;
    stream.config.batch = 6;  // the last batch of a pass is shorter
    Task task = stream.task();
    task.index = 2;  // the first task's uniform scale is 1
    LossCurve curve;
    stream.events.add(curve);
    Session session = stream.session(make_graph);
    const auto size = static_cast<std::size_t>(session.model->layout().size());
    QuadraticPenalty penalty;
    if (GetParam().ewc) penalty = {std::vector<float>(size, 0.1F), std::vector<float>(size, 0.01F)};
    Learned learned;
    learned.task = trained(session, task, {.weights = stream.pretrained(), .penalty = penalty});
    learned.losses = curve.losses;
    return learned;
  }
};

TEST_P(GpuSteps, RecordedAndAgainHaveTheBitsOfTheirKernels) {
  const Learned called = learn({});
  for (int time = 0; time < 2; ++time) {
    const Learned recorded = learn(places().device.make_graph);
    EXPECT_EQ(called.losses, recorded.losses);
    EXPECT_EQ(called.task.task_vector, recorded.task.task_vector);
    EXPECT_EQ(called.task.head.weight, recorded.task.head.weight);
  }
  EXPECT_LT(called.losses.back(), called.losses.front());
}

INSTANTIATE_TEST_SUITE_P(Steps, GpuSteps,
                         testing::Values(Step{"Gaussian", "gaussian"}, Step{"Uniform", "uniform"},
                                         Step{"Ewc", "none", true}),
                         [](const auto& step) { return step.param.name; });

class GpuImages : public Gpu, public testing::WithParamInterface<std::string> {};

// Of rand-augment a tenth of a per cent of the pixels may fall on the other side of a level.
TEST_P(GpuImages, AreTransformedAsByTheProcessor) {
  std::vector<std::vector<std::byte>> bytes;
  std::vector<PackedImage> images;
  std::vector<RandomStream> streams;
  for (std::uint64_t i = 0; i < 16; ++i) {
    RandomStream stream(1, Purpose::kTest, 0, i);
    bytes.emplace_back(40 * 56 * 3);
    for (std::byte& value : bytes.back()) value = static_cast<std::byte>(stream.below(256));
    streams.emplace_back(7, Purpose::kAugmentation, 0, i);
  }
  for (const auto& image : bytes) {
    images.push_back({.bytes = image, .height = 40, .width = 56, .sample = std::ssize(images)});
  }
  const ImageTransform transform{.size = 24,
                                 .augmentation = {.kind = *choice<Augmentation::Kind>(GetParam())}};
  PixelSource here(at::kCPU), there(device(), 1 << 20);
  for (int round = 0; round < 2; ++round) {  // the second from memory of the device
    const at::Tensor expected = training_batch(images, streams, transform, here);
    const at::Tensor found = training_batch(images, streams, transform, there).cpu();
    const at::Tensor off = (found - expected).abs() > 1e-3;
    EXPECT_LE(off.to(at::kDouble).mean().item<double>(), GetParam() == "rand-augment" ? 1e-3 : 0.0);
    EXPECT_TRUE(at::allclose(test_batch(images, transform, there).cpu(),
                             test_batch(images, transform, here), 1e-4, 1e-4));
  }
}

INSTANTIATE_TEST_SUITE_P(Augmentations, GpuImages,
                         testing::Values("none", "crop-flip", "crop-flip-jitter", "rand-augment"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(Gpu, ImagesStayWhileThereIsRoom) {
  const std::vector<std::byte> bytes(2 * 2 * 3);
  const auto image = [&](std::int64_t sample) {
    return PackedImage{.bytes = bytes, .height = 2, .width = 2, .sample = sample};
  };
  PixelSource source(device(), bytes.size());  // for one
  const at::Tensor first = source(image(0));
  EXPECT_TRUE(first.is_cuda());
  const at::Tensor second = source(image(1));
  EXPECT_EQ(source(image(0)).data_ptr(), first.data_ptr());
  EXPECT_NE(source(image(1)).data_ptr(), second.data_ptr());
}

TEST_F(Gpu, WhatIsPreparedBesideIsReadyForWhatFollows) {
  SideStream beside(device());
  const at::Tensor base = at::ones({1 << 20}, at::TensorOptions(device()));
  for (int round = 0; round < 50; ++round) {
    at::Tensor prepared;
    beside.run(
        [&] { prepared = queued_copy(at::full({1 << 20}, static_cast<double>(round)), device()); });
    SideStream::hand_over(prepared);
    EXPECT_EQ((prepared + base).min().item<double>(), round + 1);
  }
}

// Through NCCL, the bits of host memory.
TEST_F(Gpu, LanesAddUpToTheSameBits) {
  const std::int64_t lanes = 4, size = 1001;
  const auto sum = [&](const Placement& placement) {
    LaneSum sums(*placement.collectives, {.count = lanes}, size, at::kFloat, placement.device);
    for (std::size_t i = 0; i < sums.own_lanes().size(); ++i) {
      const std::int64_t lane = sums.own_lanes()[i];
      std::vector<float> values(static_cast<std::size_t>(size));
      fill_uniform(values, lane % 2 == 0 ? 1 : 1e7,
                   RandomStream(3, Purpose::kTest, 0, static_cast<std::uint64_t>(lane)));
      sums.part(i).copy_(at::tensor(values));
    }
    return to_host(sums.reduce());
  };
  EXPECT_EQ(sum(places().device), sum(places().host));
}

TEST_F(Gpu, CollectivesMoveWhatTheyShould) {
  Collectives& collectives = *places().device.collectives;
  const auto options = at::TensorOptions(device());
  at::Tensor ranks = at::full({1000}, static_cast<double>(collectives.rank() + 1), options);
  collectives.all_reduce_sum(as_buffer(ranks));
  collectives.wait(as_buffer(ranks).stream);
  const int size = collectives.size();
  EXPECT_TRUE(ranks.eq(size * (size + 1) / 2).all().item<bool>());
}

}  // namespace
}  // namespace palimpsest
