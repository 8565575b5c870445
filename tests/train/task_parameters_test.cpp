// A factor that doesn't learn is no parameter: no gradient, no moments, no share in the norm.
#include "palimpsest/train/task_parameters.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "support/tiny_stream.h"
#include "train/chosen_factors.h"

namespace palimpsest {
namespace {

class TaskParametersTest : public StreamTest {
 protected:
  TaskParametersTest() : StreamTest(true) {}

  // With what a step saved where it is given; the last step's progress goes to `saved`.
  TrainedTask trained_with(Learns learns, std::int64_t saved_step, TaskProgress& saved,
                           std::optional<TaskProgress> from = {}) {
    Session session = stream_.session({});
    const auto size = static_cast<std::size_t>(session.model->layout().size());
    return train_task(session, stream_.task(), parts_with(stream_.config, learns),
                      {.weights = stream_.pretrained(),
                       .penalty = {std::vector<float>(size, 0.1F), std::vector<float>(size, 0.01F)},
                       .progress = std::move(from)},
                      [&](const TaskProgress& counters, const auto& snapshot) {
                        if (counters.steps_done == saved_step) saved = snapshot();
                      });
  }
};

TEST_F(TaskParametersTest, AFrozenFactorStaysAsItBeganAndATaskResumesFromAnyStep) {
  for (const Learns learns : {Learns{.a = false, .b = true}, Learns{.a = true, .b = true}}) {
    TaskProgress first, fifth, last;
    const TrainedTask whole = trained_with(learns, 1, first),
                      again = trained_with(learns, 5, fifth);
    const TrainedTask resumed = trained_with(learns, 16, last, fifth);
    ASSERT_EQ(last.steps, 16);
    EXPECT_EQ(whole.task_vector, again.task_vector);
    EXPECT_EQ(whole.task_vector, resumed.task_vector);
    EXPECT_EQ(whole.head, resumed.head);
    EXPECT_EQ(whole.lora, last.parameters.lora);
    for (std::size_t m = 0; m < whole.lora.size(); ++m) {
      EXPECT_EQ(whole.lora[m].a == first.parameters.lora[m].a, !learns.a);
      EXPECT_NE(whole.lora[m].b, first.parameters.lora[m].b);
      EXPECT_EQ(last.first_moment.lora[m].a == std::vector<float>(whole.lora[m].a.size()),
                !learns.a);
      EXPECT_EQ(last.second_moment.lora[m].a == std::vector<float>(whole.lora[m].a.size()),
                !learns.a);
    }
  }
}

TEST_F(TaskParametersTest, TheFlatVectorHasWhatLearnsAndThenTheHead) {
  Session session = stream_.session({});
  const auto offset = [&](Learns learns) {
    return TaskParameters(*session.model, 0, 2, parts_with(stream_.config, learns)).head_offset();
  };
  const std::int64_t both = offset({.a = true, .b = true}), a = offset({.a = true}),
                     b = offset({.b = true});
  EXPECT_GT(a, 0);
  EXPECT_GT(b, 0);
  EXPECT_EQ(both, a + b);
}

}  // namespace
}  // namespace palimpsest
