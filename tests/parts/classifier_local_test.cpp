#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "palimpsest/classifier/head_alignment.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/head/class_statistics.h"
#include "parts/rows.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

constexpr std::int64_t kPasses = 5;  // over what is drawn

using testing::ElementsAre;
using testing::IsEmpty;

// Two tasks of two classes at the four corners of a square, and heads of which the second drowns
// the first: alignment brings every class's mean back to its own class.
TEST(AlignedHeads, DistinguishClassesOfDifferentTasks) {
  for (const char* const kind : {"linear", "cosine"}) {
    RunConfig config;
    config.head = kind;
    config.head_lr = 0.05;
    config.batch = 32;
    const std::vector<ClassStatistics> statistics = {
        {2, 2, {1, 0, -1, 0}, {0.01f, 0.01f, 0.01f, 0.01f}},
        {2, 2, {0, 1, 0, -1}, {0.01f, 0.01f, 0.01f, 0.01f}}};
    const bool is_linear = config.head == "linear";
    const double scale = is_linear ? 1 : 16;
    const std::vector<Head> heads = {
        {2, 2, {0.1f, 0.1f, -0.1f, 0.1f}, {0, 0}, kind, scale},
        {2,
         2,
         {1, 0.2f, 1, -0.2f},
         is_linear ? std::vector<float>{2, 2} : std::vector<float>{0, 0},
         kind,
         scale}};
    const at::Tensor means = rows({1, 0, -1, 0, 0, 1, 0, -1}, 2);
    const auto predicted = [&](const std::vector<Head>& of) {
      return place(joined(of), at::kCPU).logits(means).argmax(1);
    };
    const at::Tensor wanted = at::arange(4);
    const auto align = [&](const std::vector<Head>& of) {
      return aligned_heads(of, statistics,
                           settings_after_merge(config, 4 * kDrawsPerClass, kPasses), 1,
                           *objectives().make("classes"), at::kCPU);
    };
    const std::vector<Head> aligned = align(heads);
    EXPECT_FALSE(at::equal(predicted(heads), wanted)) << kind;
    EXPECT_TRUE(at::equal(predicted(aligned), wanted)) << kind;
    ASSERT_EQ(aligned.size(), 2);
    EXPECT_EQ(aligned[1].kind, kind);
    EXPECT_EQ(aligned[1].scale, scale);
    EXPECT_EQ(aligned, align(heads));
    if (!is_linear) {
      EXPECT_THAT(aligned[0].bias, ElementsAre(0, 0));
      EXPECT_THAT(aligned[1].bias, ElementsAre(0, 0));
    }
  }
}

// 4 classes of 256 draws: a batch of more than all of them.
TEST(AlignedHeads, TakeABatchOfAnySize) {
  RunConfig config;
  const std::vector<ClassStatistics> statistics(2, {2, 2, {1, 0, -1, 0}, {1, 1, 1, 1}});
  const std::vector<Head> heads(2, {2, 2, {1, 2, 3, 4}, {0, 0}});
  const auto align = [&] {
    return aligned_heads(heads, statistics,
                         settings_after_merge(config, 4 * kDrawsPerClass, kPasses), 1,
                         *objectives().make("classes"), at::kCPU);
  };
  for (const bool drop_last : {false, true}) {
    config.drop_last = drop_last;
    config.batch = 1025;
    const auto one_batch = align();
    config.batch = 1024;
    EXPECT_EQ(one_batch, align());
    config.batch = 1000;
    EXPECT_NE(one_batch, align());
  }
}

NamedTensors memory_from_heads(const std::vector<Head>& heads) {
  NamedTensors memory;
  put_heads(memory, heads);
  return memory;
}

TEST(LocalClassifier, AnswersWithTheHeadsSideBySideOrWithTheNewestWhereOneServesAll) {
  const NamedTensors memory =
      memory_from_heads({{1, 2, {1, 0}, {0}}, {2, 2, {0, 1, 1, 1}, {0, 0.5f}}});
  const auto local = classifiers().make("local");
  const at::Tensor features = rows({3, 4}, 2);
  const ClassScores all = local->scores(memory, {.by_task = {1, 2}}, at::kCPU);
  EXPECT_TRUE(at::equal(all(features), rows({3, 4, 7.5f}, 3)));
  const ClassScores newest = local->scores(memory, {.by_task = {2, 2}, .shared = true}, at::kCPU);
  EXPECT_TRUE(at::equal(newest(features), rows({4, 7.5f}, 2)));
}

TEST(LocalClassifier, NeedsClassStatisticsOfEveryTaskToAlign) {
  EXPECT_THAT(classifiers().make("local")->needs(2), IsEmpty());
  EXPECT_THAT(classifiers().make("local:refit=3")->needs(2), IsEmpty());
  const auto needed = classifiers().make("local:align=3")->needs(2);
  ASSERT_EQ(needed.size(), 1u);
  EXPECT_THAT(needed[0].names,
              ElementsAre("classifier/local/0/mean", "classifier/local/0/variance",
                          "classifier/local/1/mean", "classifier/local/1/variance"));
}

TEST(LocalClassifier, LearnsAsItsKeysSay) {
  RunConfig config;
  EXPECT_FALSE(classifiers().make(config.classifier)->takes_features());
  config.classifier = "local:refit=20";
  EXPECT_TRUE(classifiers().make(config.classifier)->takes_features());
  EXPECT_THAT(classifiers().make(config.classifier)->needs(1), IsEmpty());
  config.classifier = "local:refit=20,align=5";
  EXPECT_EQ(classifiers().make(config.classifier)->needs(1).size(), 1u);
}

class LocalLearns : public StreamTest {
 protected:
  LocalLearns() : StreamTest(true) {}

  // What is in the memory after a task's merge.
  NamedTensors learned(const char* text, NamedTensors memory, const Task& task) {
    Session session = stream_.session({});
    const auto objective = objectives().make(stream_.config.objective);
    TaskPasses passes(session, task, *objective);
    classifiers().make(text)->learn(passes, stream_.pretrained(), {}, memory);
    return memory;
  }

  const Head flat_{2, 32, std::vector<float>(64, 0.1f), {0, 0}};
};

TEST_F(LocalLearns, NothingUnlessAsked) {
  const NamedTensors memory = memory_from_heads({flat_});
  EXPECT_EQ(learned("local", memory, stream_.task()), memory);
}

TEST_F(LocalLearns, RefitFitsTheTasksHeadToTheMergedModel) {
  const NamedTensors memory = learned("local:refit=5", memory_from_heads({flat_}), stream_.task());
  const std::vector<Head> heads = heads_in(memory);
  ASSERT_EQ(heads.size(), 1u);
  EXPECT_THAT(memory.names("classifier"), IsEmpty());
  Session session = stream_.session({});
  EXPECT_LT(measure_loss(session, stream_.task(), heads[0]),
            0.9 * measure_loss(session, stream_.task(), flat_));
  EXPECT_NE(learned("local:refit=6", memory_from_heads({flat_}), stream_.task()), memory);
}

// The first task's classes are all there are: its steps have compared them.
TEST_F(LocalLearns, AlignKeepsStatisticsOfEveryTaskAndMovesHeadsFromTheSecondOn) {
  NamedTensors memory = learned("local:align=2", memory_from_heads({flat_}), stream_.task());
  EXPECT_THAT(heads_in(memory), ElementsAre(flat_));
  Session session = stream_.session({});
  const auto objective = objectives().make(stream_.config.objective);
  TaskPasses passes(session, stream_.task(), *objective);
  const ClassStatistics expected = class_statistics(to_host(passes.features(stream_.pretrained())),
                                                    stream_.task().train.targets, 2);
  EXPECT_THAT(class_statistics_in(memory), ElementsAre(expected));

  Task second = stream_.task();
  second.index = 1;
  Head other = flat_;
  other.bias = {1, -1};
  put_head(memory, 1, other);
  memory = learned("local:align=2", memory, second);
  EXPECT_THAT(class_statistics_in(memory), ElementsAre(expected, expected));
  const std::vector<Head> heads = heads_in(memory);
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_NE(heads[0], flat_);
  EXPECT_NE(heads[1], other);
}

TEST(LocalMemory, OfOtherTasksIsRefused) {
  const auto align = classifiers().make("local:align=2");
  NamedTensors memory;
  put_class_statistics(memory, 0, {2, 1, {1, 0}, {1, 1}});
  EXPECT_NO_THROW(align->check(memory, {.by_task = {2}}));
  EXPECT_THAT([&] { align->check(memory, {.by_task = {3}}); },
              ThrowsMessage<Error>(HasSubstr("classifier/local/0: statistics of 2 classes")));
  put_class_statistics(memory, 0, {2, 1, {1, 0}, {1, -1}});
  EXPECT_THAT(
      [&] { align->check(memory, {.by_task = {2}}); },
      ThrowsMessage<Error>(HasSubstr("classifier/local/0/variance: expected no value below 0")));
  memory.put("classifier/local/0/mean", {.dims = {2}, .values = std::vector<float>(2)});
  EXPECT_THAT([&] { align->check(memory, {.by_task = {2}}); },
              ThrowsMessage<Error>(HasSubstr(
                  "classifier/local/0/mean: expected float32 [n, n], found float32 [2]")));
  EXPECT_NO_THROW(classifiers().make("local")->check(memory, {.by_task = {3}}));
}

TEST_F(LocalLearns, BeforeTheMergeItAnswersWithTheHeadsAsTheyAre) {
  Session session = stream_.session({});
  const auto objective = objectives().make(stream_.config.objective);
  TaskPasses passes(session, stream_.task(), *objective);
  const NamedTensors memory = memory_from_heads({flat_});
  const ClassesSeen seen{.by_task = {2}};
  const auto local = classifiers().make("local:refit=5");
  const at::Tensor features = at::ones({3, 32});
  EXPECT_TRUE(
      at::equal(local->scores_before_merge(passes, stream_.pretrained(), seen, memory)(features),
                place(flat_, at::kCPU).logits(features)));
}

TEST(ClassesSeenTest, CountsTheClassesOfATaskOrTheSameOfAll) {
  const ClassesSeen own{.by_task = {2, 3, 4}}, shared{.by_task = {3, 3}, .shared = true};
  EXPECT_EQ(own.count(), 9);
  EXPECT_EQ(own.first(2), 5);
  EXPECT_EQ(shared.count(), 3);
  EXPECT_EQ(shared.first(1), 0);
  EXPECT_EQ(ClassesSeen{}.count(), 0);
}

}  // namespace
}  // namespace palimpsest
