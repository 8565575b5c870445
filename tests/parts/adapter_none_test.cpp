#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

class NoAdapterTest : public StreamTest {
 protected:
  NoAdapterTest() : StreamTest(true) {
    stream_.config.adapter = stream_.config.merge = stream_.config.perturbation = "none";
  }

  TrainedTask trained_from(Session& session, float weight) {
    const Head start{2, 32, std::vector<float>(64, weight), {0, 0}};
    const TrainingParts parts = make_training_parts(session.config);
    TaskPasses passes(session, stream_.task(), *parts.objective);
    return train_on_features(passes, parts, {.weights = stream_.pretrained(), .head = start});
  }
};

TEST_F(NoAdapterTest, LearnsNothing) {
  const auto adapter = adapters().make("none");
  EXPECT_FALSE(adapter->learns(0).any());
  EXPECT_EQ(adapter->rank(), 0);
}

TEST_F(NoAdapterTest, ATaskMovesItsHeadAlone) {
  Session session = stream_.session({});
  const TrainedTask task = trained_from(session, 0.5f);
  EXPECT_TRUE(task.lora.empty());
  EXPECT_TRUE(task.task_vector.empty());
  EXPECT_EQ(task.head.features, 32);
  EXPECT_LT(task.loss_last_pass, task.loss_first_step);
}

// Every rank trains the same head by itself, and they prove it.
TEST_F(NoAdapterTest, HeadsAreAgreedOnOverAllRanks) {
  if (group_.size() == 1) return;
  Session session = stream_.session({});
  EXPECT_THAT([&] { trained_from(session, group_.rank() == 0 ? 0.5f : 0.25f); },
              testing::ThrowsMessage<Error>(
                  HasSubstr("the ranks disagree on hash of the head trained on task 1")));
}

}  // namespace
}  // namespace palimpsest
