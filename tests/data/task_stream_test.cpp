// All tasks as one.
#include "palimpsest/data/task_stream.h"

#include <gmock/gmock.h>

namespace palimpsest {
namespace {

using testing::ElementsAre;

TEST(JointTask, HasTheClassesAndSamplesOfAllTasksInOrder) {
  const std::vector<Task> tasks = {{.index = 0,
                                    .name = "one",
                                    .classes = {"b", "a"},
                                    .train = {.samples = {7, 3, 9}, .targets = {0, 1, 0}},
                                    .test = {.samples = {1}, .targets = {1}}},
                                   {.index = 1,
                                    .name = "two",
                                    .classes = {"d", "c", "e"},
                                    .train = {.samples = {4, 5}, .targets = {2, 0}},
                                    .test = {.samples = {8, 6}, .targets = {1, 0}}}};
  const Task joint = joint_task(tasks);
  EXPECT_EQ(joint.index, 0);
  EXPECT_EQ(joint.name, "joint of 2 tasks");
  EXPECT_THAT(joint.classes, ElementsAre("b", "a", "d", "c", "e"));
  EXPECT_THAT(joint.train.samples, ElementsAre(7, 3, 9, 4, 5));
  EXPECT_THAT(joint.train.targets, ElementsAre(0, 1, 0, 4, 2));
  EXPECT_THAT(joint.test.samples, ElementsAre(1, 8, 6));
  EXPECT_THAT(joint.test.targets, ElementsAre(1, 3, 2));
}

TEST(JointTask, AClassOfSeveralTasksIsOneClass) {
  const std::vector<Task> domains = {{.index = 0,
                                      .name = "photos",
                                      .classes = {"dog", "cat"},
                                      .train = {.samples = {0, 1}, .targets = {0, 1}},
                                      .test = {}},
                                     {.index = 1,
                                      .name = "sketches",
                                      .classes = {"cat", "dog"},
                                      .train = {.samples = {2, 3}, .targets = {0, 1}},
                                      .test = {}}};
  const Task joint = joint_task(domains);
  EXPECT_THAT(joint.classes, ElementsAre("dog", "cat"));
  EXPECT_THAT(joint.train.targets, ElementsAre(0, 1, 1, 0));
}

}  // namespace
}  // namespace palimpsest
