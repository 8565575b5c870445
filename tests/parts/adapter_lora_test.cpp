#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/train/task_parameters.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

class LoraAdapterTest : public StreamTest {
 protected:
  LoraAdapterTest() : StreamTest(true) {}

  // The factors as a task begins.
  std::vector<LoraFactors> begun(std::uint64_t seed, std::int64_t task_index) {
    stream_.config.seed = seed;
    Session session = stream_.session({});
    Task task = stream_.task();
    task.index = task_index;
    const TrainingParts parts = make_training_parts(stream_.config);
    TaskParameters parameters(*session.model, task.index, std::ssize(task.classes), parts);
    parts.adapter->begin(session, task, parameters.lora());
    return parameters.to_record().lora;
  }
};

TEST_F(LoraAdapterTest, TrainsBothFactorsOfEveryTaskScaledByAlphaOverRank) {
  const auto adapter = adapters().make("lora:rank=4,alpha=10");
  for (const std::int64_t task : {0, 7}) {
    EXPECT_TRUE(adapter->learns(task).a);
    EXPECT_TRUE(adapter->learns(task).b);
  }
  EXPECT_EQ(adapter->rank(), 4);
  EXPECT_EQ(adapter->scale(), 2.5);
}

TEST_F(LoraAdapterTest, TrainsTheFirstTasksAloneWhereItsKeySaysHowMany) {
  for (const char* const text : {"lora:tasks=2", "lora:tasks=2,a=covariance"}) {
    const auto adapter = adapters().make(text);
    EXPECT_TRUE(adapter->learns(0).b);
    EXPECT_TRUE(adapter->learns(1).b);
    EXPECT_FALSE(adapter->learns(2).any());
    EXPECT_FALSE(adapter->learns(7).any());
  }
}

TEST_F(LoraAdapterTest, BeginsWithAZeroBAndAnAThatFollowsSeedTaskAndModule) {
  const std::vector<LoraFactors> factors = begun(1, 2);
  ASSERT_GT(factors.size(), 1u);
  for (const LoraFactors& module : factors) {
    EXPECT_EQ(module.rank, 4);
    EXPECT_THAT(module.b, testing::Each(0));
    const double bound = 1 / std::sqrt(static_cast<double>(module.in));
    double greatest = 0;
    for (const float value : module.a)
      greatest = std::max(greatest, std::abs(static_cast<double>(value)));
    EXPECT_LE(greatest, bound) << module.module;
    EXPECT_GT(greatest, 0.9 * bound) << module.module;
    group_.agree(weights_hash(module.a), module.module, "test");
  }
  EXPECT_NE(factors[0].a, factors[1].a);
  EXPECT_EQ(factors, begun(1, 2));
  EXPECT_NE(factors[0].a, begun(1, 3)[0].a);
  EXPECT_NE(factors[0].a, begun(2, 2)[0].a);
}

}  // namespace
}  // namespace palimpsest
