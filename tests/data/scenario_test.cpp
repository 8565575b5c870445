// Which tasks may be together in a stream, by its scenario.
#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "palimpsest/data/task_stream.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

Task task(std::int64_t index, std::string name, std::vector<std::string> classes) {
  return {.index = index, .name = name, .classes = classes, .train = {}, .test = {}};
}

TEST(Scenario, ClassesAreNewInEveryTaskOrTheSameInEveryDomain) {
  const std::vector<Task> different = {task(0, "a", {"dog", "cat"}), task(1, "b", {"ant", "bee"})};
  const std::vector<Task> same = {task(0, "photo", {"dog", "cat"}),
                                  task(1, "sketch", {"dog", "cat"})};
  for (const Scenario scenario : {Scenario::kClassIncremental, Scenario::kTaskIncremental}) {
    EXPECT_NO_THROW(check_scenario(different, scenario, "p.json"));
    EXPECT_THAT(
        [&] { check_scenario(same, scenario, "p.json"); },
        ThrowsMessage<InputError>(AllOf(HasSubstr("p.json"), HasSubstr("'dog' of task 1 (photo)"),
                                        HasSubstr("task 2 (sketch) again"))));
  }
  EXPECT_NO_THROW(check_scenario(same, Scenario::kDomainIncremental, "p.json"));
  EXPECT_THAT([&] { check_scenario(different, Scenario::kDomainIncremental, "p.json"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("in task 2 (b) the labels of task 1 (a)"),
                                              HasSubstr("'dog', 'cat', found 'ant', 'bee'"))));
}

TEST(Scenario, DomainsHaveTheirLabelsInOneOrder) {
  const std::vector<Task> turned = {task(0, "photo", {"dog", "cat"}),
                                    task(1, "sketch", {"cat", "dog"})};
  EXPECT_THROW(check_scenario(turned, Scenario::kDomainIncremental, "p.json"), InputError);
}

TEST(PastTasks, ComeBeforeTheOthersWhichAreNumberedAfterThem) {
  std::vector<Task> tasks = {task(0, "new", {"ant", "bee"})};
  tasks[0].train.samples = {7};
  put_before({task(0, "", {"dog", "cat"}), task(1, "", {"cow", "hen"})}, tasks);
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[2].index, 2);
  EXPECT_EQ(tasks[2].name, "new");
  EXPECT_TRUE(tasks[0].is_past() && tasks[1].is_past() && !tasks[2].is_past());
}

}  // namespace
}  // namespace palimpsest
