// Passes and updates that were recorded do what they do when called: to the bit, with the
// perturbation, the learning rate and the batch of each step. Of every kind of a part:
// tests/parts/recorded_parts_test.cpp.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/library.h>

#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/optimizer/optimizer.h"
#include "palimpsest/train/task_parameters.h"
#include "support/host_graph.h"
#include "support/tiny_stream.h"

TORCH_LIBRARY_IMPL(_, Fake, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&palimpsest::HostGraph::keep>());
}

namespace palimpsest {
namespace {

class Recorded : public StreamTest {
 protected:
  // bf16 takes LibTorch's operators, as a device does; float32 has Palimpsest's kernels.
  Recorded() : StreamTest(false) {
    stream_.config.precision = Precision::kBf16;
    stream_.events.add(curve_);
  }

  TrainedTask learned(MakeGraph make_graph, const QuadraticPenalty& penalty = {}) {
    curve_.losses.clear();
    Session session = stream_.session(std::move(make_graph));
    return trained(session, stream_.task(), {.weights = stream_.pretrained(), .penalty = penalty});
  }

  LossCurve curve_;
  HostGraphs graphs_;
};

TEST_F(Recorded, TrainingIsTheSameToTheBit) {
  for (const bool checkpointing : {false, true}) {
    stream_.config.activation_checkpointing = checkpointing;
    stream_.config.batch = 6;  // 32 samples: the last batch of a pass is shorter
    const TrainedTask called = learned({});
    const std::vector<double> losses = curve_.losses;
    const TrainedTask recorded = learned(graphs_.maker());
    EXPECT_GT(graphs_.made, 1);
    EXPECT_EQ(losses, curve_.losses);
    EXPECT_EQ(called.task_vector, recorded.task_vector);
    EXPECT_EQ(called.head.weight, recorded.head.weight);
    EXPECT_LT(losses.back(), 0.8 * losses.front());  // it learns: something was computed
  }
}

// What gaussian records: the noise of each step is a tensor that stays where it is.
TEST_F(Recorded, WeightsTakeTheNoiseOfEachStep) {
  stream_.config.precision = Precision::kFp32;
  Session session = stream_.session({});
  const TaskParameters parameters(*session.model, 0, 2, make_training_parts(stream_.config));
  parameters.values().flat().fill_(0.1);
  const at::Tensor c = at::ones({}), flat = at::zeros({session.model->layout().size()});
  std::vector<at::Tensor> noise;
  for (const AdaptedModule& module : session.model->layout().modules()) {
    noise.push_back(flat.narrow(0, module.offset, module.size()).view({module.out, module.in}));
  }
  const Batch batch =
      session.reader().test_batch(stream_.task().train, std::vector<std::int64_t>{0, 1, 2});
  const auto set = [&] { session.model->layers().set_adapter(parameters.lora(), c, noise); };
  const auto features = [&] {
    return session.model->features(batch, {.lora = &parameters.lora(), .c = c}).detach();
  };
  Replay replay(graphs_.maker());
  at::Tensor before;
  for (int step = 0; step < 4; ++step) {
    flat.normal_(0, 1);
    replay.run(set);
    const at::Tensor replayed = features();
    set();
    EXPECT_TRUE(at::equal(replayed, features())) << "step " << step;
    EXPECT_FALSE(step > 0 && at::equal(replayed, before));
    before = replayed;
  }
  EXPECT_EQ(graphs_.made, 1);
}

TEST_F(Recorded, APenaltyIsTheSameToTheBit) {
  const auto size = static_cast<std::size_t>(stream_.session({}).model->layout().size());
  const QuadraticPenalty penalty{.curvature = std::vector<float>(size, 0.1F),
                                 .slope = std::vector<float>(size, 0.01F)};
  const std::vector<float> called = learned({}, penalty).task_vector;
  EXPECT_EQ(called, learned(graphs_.maker(), penalty).task_vector);
  EXPECT_NE(called, learned({}).task_vector);
}

TEST_F(Recorded, EvaluationAndLossAreTheSameToTheBit) {
  const TrainedTask task = learned({});
  std::vector<double> losses;
  std::vector<EvaluationRow> rows;
  for (const MakeGraph& make_graph : {MakeGraph(), graphs_.maker()}) {
    Session session = stream_.session(make_graph);
    losses.push_back(measure_loss(session, stream_.task(), task.head));
    session.config.evaluation_batch = 2;
    rows.push_back(evaluated(session, stream_.pretrained(), stream_.task(), task.head));
  }
  // Of four ranks each has one chunk to evaluate, and records the loss alone.
  EXPECT_GT(graphs_.made, 0);
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_NO_THROW(check_row(rows[0], 1));
  EXPECT_GT(mean(rows[0].score("loss_given_task"), 0), 0);
}

TEST_F(Recorded, TextsOfOneWidthShareARecording) {
  TinyStream texts(true, placement_, group_, watchdog_);
  texts.config.precision = Precision::kBf16;
  for (const bool attention_bias : {false, true}) {
    texts.attention_bias = attention_bias;
    Session session = texts.session({});
    graphs_.made = 0;
    RecordedPass pass(graphs_.maker(),
                      [&](const Batch& batch) { return session.model->features(batch).detach(); });
    for (std::int64_t first = 0; first < 24; first += 4) {
      const Batch ragged = session.reader().test_batch(
          texts.task().train, std::vector<std::int64_t>{first, first + 1, first + 2, first + 3});
      const Batch batch{.samples = padded(std::get<Texts>(ragged.samples), at::kCPU),
                        .targets = ragged.targets};
      EXPECT_TRUE(at::equal(pass(batch), session.model->features(batch)))
          << "from sample " << first;
    }
    EXPECT_EQ(graphs_.made, 1);
  }
}

// As the last batches of tasks of unequal size.
TEST_F(Recorded, AShapeThatComesOnceHasNoRecordingAndOthersHaveALimit) {
  RecordedPass pass(graphs_.maker(), [](const Batch& batch) { return batch.targets * 2; });
  const auto expect_doubled = [&](std::int64_t size) {
    const at::Tensor targets = at::arange(size);
    EXPECT_TRUE(
        at::equal(pass({.samples = at::zeros({size, 1}), .targets = targets}), targets * 2));
  };
  const auto most = static_cast<std::int64_t>(RecordedPass::kMostRecordings);
  for (std::int64_t size = 1; size <= most + 5; ++size) expect_doubled(size);
  EXPECT_EQ(graphs_.made, 0);
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t size = 1; size <= most + 5; ++size) expect_doubled(size);
    EXPECT_EQ(graphs_.made, most);
  }
}

// What fills a text up must not be seen; bits differ, since attention adds in another order.
TEST_F(Recorded, PaddedTextsHaveTheFeaturesOfTextsOneAfterAnother) {
  TinyStream texts(true, placement_, group_, watchdog_);
  for (const auto& [precision, tolerance, attention_bias] :
       {std::tuple(Precision::kFp32, 1e-5, false), std::tuple(Precision::kBf16, 0.05, false),
        std::tuple(Precision::kFp32, 1e-5, true), std::tuple(Precision::kBf16, 0.05, true)}) {
    texts.config.precision = precision;
    texts.attention_bias = attention_bias;
    Session session = texts.session({});
    std::vector<std::int64_t> all(20);
    std::iota(all.begin(), all.end(), 0);
    const Batch ragged = session.reader().test_batch(texts.task().train, all);
    const Batch batch{.samples = padded(std::get<Texts>(ragged.samples), at::kCPU),
                      .targets = ragged.targets};
    const at::Tensor expected = session.model->features(ragged);
    EXPECT_TRUE(at::allclose(session.model->features(batch), expected, tolerance, tolerance))
        << name(precision) << ": off by "
        << (session.model->features(batch) - expected).abs().max().item<double>();
  }
}

TEST(ReplayTest, RecordsTheSecondRunAndReadsNumbersFromTensors) {
  const at::Tensor number = at::ones({}), sum = at::zeros({});
  double host = 1;
  int calls = 0;
  Replay replay([] { return std::make_unique<HostGraph>(); });
  for (int run = 0; run < 4; ++run) {
    number.fill_(run + 1);
    host = run + 1;
    replay.run([&] {
      ++calls;
      sum.add_(number).add_(100 * host);
    });
  }
  EXPECT_EQ(calls, 2);
  // The host's number is that of the second run from then on: what a recording must not rely on.
  EXPECT_EQ(sum.item<double>(), 1 + 2 + 3 + 4 + 100 * (1 + 2 + 2 + 2));
}

TEST(ReplayTest, AResultCannotBeReadWhileRecording) {
  const at::Tensor number = at::ones({});
  Replay replay([] { return std::make_unique<HostGraph>(); });
  const auto work = [&] { number.mul_(number.item<double>()); };
  replay.run(work);
  EXPECT_THROW(replay.run(work), std::runtime_error);
}

TEST(AdamWTest, AStepThatIsSkippedChangesNothing) {
  at::Tensor parameters = at::ones({8});
  const at::Tensor before = parameters.clone(), gradient = at::full({8}, 0.5);
  AdamW optimizer({{parameters, 0.1}}, 0.01);
  optimizer.step({at::full({8}, std::numeric_limits<float>::quiet_NaN())}, at::ones({}));
  EXPECT_TRUE(at::equal(parameters, before));
  at::Tensor expected = before.clone();
  AdamW fresh({{expected, 0.1}}, 0.01);
  optimizer.step({gradient}, at::zeros({}));
  fresh.step({gradient});
  EXPECT_TRUE(at::equal(parameters, expected));
  EXPECT_FALSE(at::equal(parameters, before));
}

}  // namespace
}  // namespace palimpsest
