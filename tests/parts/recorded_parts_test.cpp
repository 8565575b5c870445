// Whatever kinds the parts have: work that was recorded does what it does when called, to the bit,
// and what lanes add up is the whole.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/library.h>

#include <set>

#include "palimpsest/core/error.h"
#include "support/host_graph.h"
#include "support/kinds.h"
#include "support/tiny_stream.h"

TORCH_LIBRARY_IMPL(_, Fake, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&palimpsest::HostGraph::keep>());
}

namespace palimpsest {
namespace {

// Whether steps train such a head by such an objective.
bool is_trainable(const Objective& objective, const HeadType& head) {
  if (objective.predicts_tokens() || head.weights() != HeadWeights::kTrained) return false;
  try {
    objective.check(head);
  } catch (const UsageError&) {
    return false;
  }
  return true;
}

class RecordedParts : public StreamTest {
 protected:
  // bf16 takes LibTorch's operators, as a device does; float32 has Palimpsest's kernels.
  RecordedParts() : StreamTest(false) {
    stream_.config.precision = Precision::kBf16;
    stream_.config.batch = 6;  // 32 samples: the last batch of a pass is shorter
    stream_.events.add(curve_);
  }

  TrainedTask learned(MakeGraph make_graph, const Task& task) {
    curve_.losses.clear();
    Session session = stream_.session(std::move(make_graph));
    return trained(session, task, {.weights = stream_.pretrained()});
  }

  // Every objective of classes with every head that it takes, as the stream's settings.
  void for_each_objective(const std::function<void(const std::string& name)>& then) {
    for (const Kind& objective : objectives().kinds) {
      if (objectives().make(objective.name)->predicts_tokens()) continue;
      int heads = 0;
      for (const Kind& head : head_kinds().kinds) {
        stream_.config.objective = standard_text(objective);
        stream_.config.head = standard_text(head);
        if (!is_trainable(*objectives().make(stream_.config.objective),
                          *head_kinds().make(stream_.config.head)))
          continue;
        ++heads;
        then(concat(stream_.config.objective, " with ", stream_.config.head));
      }
      EXPECT_GT(heads, 0) << objective.name;
    }
  }

  LossCurve curve_;
  HostGraphs graphs_;
};

TEST_F(RecordedParts, StepsOfEveryObjectiveAndHeadAreTheSameToTheBit) {
  for_each_objective([&](const std::string& name) {
    graphs_.made = 0;
    const TrainedTask called = learned({}, stream_.task());
    const std::vector<double> losses = curve_.losses;
    const TrainedTask recorded = learned(graphs_.maker(), stream_.task());
    EXPECT_GT(graphs_.made, 1) << name;
    EXPECT_EQ(losses, curve_.losses) << name;
    EXPECT_EQ(called.task_vector, recorded.task_vector) << name;
    EXPECT_EQ(called.head, recorded.head) << name;
    EXPECT_LT(losses.back(), 0.9 * losses.front()) << name;  // it learns: something was computed

    std::vector<double> measured;
    for (const MakeGraph& make_graph : {MakeGraph(), graphs_.maker()}) {
      Session session = stream_.session(make_graph);
      measured.push_back(measure_loss(session, stream_.task(), recorded.head));
    }
    EXPECT_EQ(measured[0], measured[1]) << name;
  });
}

TEST_F(RecordedParts, CurvaturesOfEveryObjectiveAndHeadAreTheSameToTheBit) {
  stream_.config.epochs = 1;
  for_each_objective([&](const std::string& name) {
    const Head head = learned({}, stream_.task()).head;
    for (const Kind& curvature : curvatures().kinds) {
      stream_.config.curvature = standard_text(curvature);
      std::vector<Fisher> measured;
      graphs_.made = 0;
      for (const MakeGraph& make_graph : {MakeGraph(), graphs_.maker()}) {
        Session session = stream_.session(make_graph);
        measured.push_back(curvature_everywhere(session, stream_.task(), head));
      }
      EXPECT_GT(graphs_.made, 0) << name << ", " << curvature.name;
      EXPECT_EQ(measured[0].values, measured[1].values) << name << ", " << curvature.name;
      EXPECT_EQ(measured[0].loss, measured[1].loss) << name << ", " << curvature.name;
      EXPECT_GT(*std::ranges::max_element(measured[0].values), 0) << name << ", " << curvature.name;
    }
  });
}

// But noise: it is fp32 alone, whose kernels don't pass through LibTorch's operators. What it
// records is in tests/train/recorded_test.cpp; whole steps are recorded in tests/gpu/gpu_test.cpp.
TEST_F(RecordedParts, StepsOfEveryPerturbationAreTheSameToTheBit) {
  Task task = stream_.task();
  task.index = 2;  // the first task's uniform scale is 1, as with none
  std::set<std::vector<float>> ends;
  std::size_t kinds = 0;
  for (const Kind& kind : perturbations().kinds) {
    stream_.config.perturbation = standard_text(kind);
    if (perturbations().make(stream_.config.perturbation)->noise_size() > 0) continue;
    ++kinds;
    graphs_.made = 0;
    const TrainedTask called = learned({}, task), recorded = learned(graphs_.maker(), task);
    EXPECT_GT(graphs_.made, 1) << kind.name;
    EXPECT_EQ(called.task_vector, recorded.task_vector) << kind.name;
    ends.insert(called.task_vector);
  }
  EXPECT_GE(kinds, 4u);
  EXPECT_EQ(ends.size(), kinds);
}

// Whatever the key of an adapter that trains weights is set to: also what it begins with is
// recorded.
TEST_F(RecordedParts, StepsOfEveryAdapterAreTheSameToTheBit) {
  stream_.config.epochs = 1;
  for (const Kind& kind : adapters().kinds) {
    std::vector<std::string> texts = {standard_text(kind)};
    for (const SettingSpec& key : kind.keys) {
      for (const std::string_view choice : key.choices)
        texts.push_back(concat(kind.name, ':', key.name, '=', choice));
    }
    for (const std::string& text : texts) {
      stream_.config.adapter = text;
      if (!adapters().make(stream_.config.adapter)->learns(0).any()) continue;
      graphs_.made = 0;
      const TrainedTask called = learned({}, stream_.task());
      const TrainedTask recorded = learned(graphs_.maker(), stream_.task());
      EXPECT_GT(graphs_.made, 1) << text;
      EXPECT_EQ(called.task_vector, recorded.task_vector) << text;
    }
  }
}

TEST_F(RecordedParts, ACosineHeadKeepsItsBiasAtZero) {
  stream_.config.head = "cosine";
  const Head head = learned(graphs_.maker(), stream_.task()).head;
  EXPECT_EQ(head.kind, "cosine");
  EXPECT_EQ(head.scale, 16);
  EXPECT_THAT(head.bias, testing::Each(0));
}

// Sums of parts of a batch are the sum of the batch, and weights too.
TEST_F(RecordedParts, EveryObjectiveAddsUpOverLanes) {
  const at::Tensor features = at::randn({6, 32}), weight = at::randn({3, 32}).mul(0.1);
  const at::Tensor targets = at::tensor({0, 1, 2, 2, 1, 0}, at::kLong);
  for_each_objective([&](const std::string& name) {
    const auto objective = objectives().make(stream_.config.objective);
    const DeviceHead head{
        .weight = weight, .bias = at::zeros({3}), .kind = head_kinds().make(stream_.config.head)};
    const auto row_losses = [&](std::int64_t first, std::int64_t size) {
      return objective->loss(objective->logits(features.narrow(0, first, size), head),
                             targets.narrow(0, first, size));
    };
    const at::Tensor all = row_losses(0, 6);
    EXPECT_TRUE(at::allclose(all, row_losses(0, 4) + row_losses(4, 2))) << name;
    const at::Tensor each = objective->losses(objective->logits(features, head), targets);
    EXPECT_EQ(each.sizes(), targets.sizes()) << name;
    EXPECT_TRUE(at::allclose(all, each.sum())) << name;
    EXPECT_GT(all.item<double>(), 0) << name;
  });
}

// What fills a text up is not seen, and not counted.
TEST(EveryCurvature, IsTheSameOfTextsFilledUp) {
  Watchdog watchdog(60);
  HostGroup group(watchdog);
  const Placement placement = make_placement(DeviceKind::kCpu, false, group, watchdog);
  TinyStream texts(true, placement, group, watchdog);
  Session session = texts.session({});
  const DeviceHead head{.weight = at::randn({2, 32}),
                        .bias = at::zeros({2}),
                        .kind = head_kinds().make(texts.config.head)};
  Batch ragged =
      session.reader().test_batch(texts.task().train, std::vector<std::int64_t>{0, 1, 2});
  ragged.numbers = at::tensor({0.1, 0.5, 0.9}, at::kDouble);
  const Batch filled_up{.samples = padded(std::get<Texts>(ragged.samples), at::kCPU),
                        .targets = ragged.targets,
                        .numbers = ragged.numbers};
  const auto objective = objectives().make(texts.config.objective);
  for (const Kind& kind : curvatures().kinds) {
    const auto curvature = curvatures().make(standard_text(kind));
    std::vector<at::Tensor> sums;
    for (const Batch& batch : {ragged, filled_up}) {
      sums.push_back(at::zeros({session.model->layout().size()}));
      FlatSums flat(session.model->layout(), sums.back());
      curvature->add({.model = *session.model,
                      .head = head,
                      .objective = *objective,
                      .batch = batch,
                      .sums = flat});
    }
    EXPECT_LT((sums[0] - sums[1]).norm().item<double>(), 1e-4 * sums[0].norm().item<double>())
        << kind.name;
    EXPECT_GT(sums[0].norm().item<double>(), 0) << kind.name;
  }
}

}  // namespace
}  // namespace palimpsest
