#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <map>
#include <numeric>
#include <optional>

#include "palimpsest/core/error.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

// One task, learned with A from its inputs.
class CovarianceA : public StreamTest {
 protected:
  CovarianceA() : StreamTest(true) { stream_.config.adapter = "lora:rank=3,a=covariance"; }

  TrainedTask learned() {
    Session session = stream_.session({});
    return trained(session, stream_.task(), {.weights = stream_.pretrained()});
  }

  // E[x x'] of each module, over all samples in one batch.
  std::map<std::string, at::Tensor> moments() {
    Session session = stream_.session({});
    std::vector<std::int64_t> all(stream_.task().train.samples.size());
    std::iota(all.begin(), all.end(), 0);
    std::map<std::string, at::Tensor> found;
    const InputTap tap = [&](std::size_t module, const at::Tensor& x) {
      found[session.model->layout().modules()[module].name] =
          x.to(at::kDouble).t().mm(x.to(at::kDouble)).div(x.size(0));
    };
    session.model->features(session.reader().test_batch(stream_.task().train, all),
                            {.input_tap = &tap});
    return found;
  }
};

at::Tensor matrix(const std::vector<float>& values, std::int64_t rows) {
  return at::tensor(values).view({rows, -1}).to(at::kDouble);
}

TEST_F(CovarianceA, LearnsBAlone) {
  const auto adapter = adapters().make(stream_.config.adapter);
  EXPECT_FALSE(adapter->learns(0).a);
  EXPECT_TRUE(adapter->learns(0).b);
}

// Rows of length 1 at right angles that carry as much of the inputs' energy as r directions can;
// and they are where they began after training, while B has moved.
TEST_F(CovarianceA, IsMadeOfTheTopEigenvectorsOfTheInputsAndStaysSo) {
  auto expected = moments();
  const TrainedTask task = learned();
  ASSERT_FALSE(task.lora.empty());
  for (const LoraFactors& module : task.lora) {
    const at::Tensor a = matrix(module.a, module.rank), moment = expected.at(module.module);
    EXPECT_LT((a.mm(a.t()) - at::eye(module.rank, at::kDouble)).abs().max().item<double>(), 1e-6);
    const at::Tensor values = std::get<0>(at::linalg_eigh(moment));
    const double most = values.slice(0, module.in - module.rank).sum().item<double>();
    EXPECT_NEAR(a.mm(moment).mm(a.t()).trace().item<double>() / most, 1, 1e-6) << module.module;
    EXPECT_GT(std::get<0>(a.max(1)).min().item<double>(), 0);
    for (std::int64_t row = 0; row < module.rank; ++row) {
      const at::Tensor own = a.select(0, row);
      EXPECT_GT(own[own.abs().argmax()].item<double>(), 0) << "the sign is fixed";
    }
    EXPECT_GT(matrix(module.b, module.out).abs().max().item<double>(), 0) << module.module;
    group_.agree(weights_hash(module.a), module.module, "test");
  }
}

// From the middle of its training: the frozen A comes from what was saved.
TEST_F(CovarianceA, ResumesASavedStepWithTheSameBits) {
  const TrainedTask whole = learned();
  std::optional<TaskProgress> saved;
  Session session = stream_.session({});
  const TrainingParts parts = make_training_parts(session.config);
  train_task(session, stream_.task(), parts, {.weights = stream_.pretrained()},
             [&](const TaskProgress& counters, const std::function<TaskProgress()>& snapshot) {
               if (counters.steps_done == 5) saved = snapshot();
             });
  ASSERT_TRUE(saved.has_value());
  Session again = stream_.session({});
  const TrainedTask resumed =
      trained(again, stream_.task(), {.weights = stream_.pretrained(), .progress = saved});
  EXPECT_EQ(resumed.task_vector, whole.task_vector);
  EXPECT_EQ(resumed.head, whole.head);
}

// The backward pass requests gradients of what learns alone.
TEST_F(CovarianceA, IsTheSameWithActivationsComputedAgain) {
  const TrainedTask kept = learned();
  stream_.config.activation_checkpointing = true;
  EXPECT_EQ(learned().task_vector, kept.task_vector);
}

TEST_F(CovarianceA, RefusesMoreDirectionsThanInputs) {
  stream_.config.adapter = "lora:rank=33,a=covariance";
  EXPECT_THAT([&] { learned(); },
              testing::ThrowsMessage<UsageError>(testing::HasSubstr("lower the rank")));
}

}  // namespace
}  // namespace palimpsest
