#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/classifier/head_alignment.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/head/class_statistics.h"
#include "parts/rows.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

// Logits of two tasks with lengths 5 and 2: z / (0.1 * 3.5).
TEST(AlignmentLoss, ByHand) {
  const at::Tensor logits = rows({3, 4, -2}, 3);
  const double unit = 1 / (0.1 * (3.5 + 1e-7));
  const double expected = std::log(std::exp(3 * unit) + std::exp(4 * unit) + std::exp(-2 * unit));
  const std::vector<std::int64_t> classes = {2, 1};
  for (const auto& [target, logit] : {std::pair(0, 3.0), {1, 4.0}, {2, -2.0}}) {
    EXPECT_NEAR(alignment_loss(logits, at::tensor({target}, at::kLong), classes).item<double>(),
                expected - logit * unit, 1e-5);
  }
  const at::Tensor zeros = at::zeros({2, 3}).requires_grad_(true);
  const at::Tensor loss = alignment_loss(zeros, at::tensor({0, 2}, at::kLong), classes);
  EXPECT_NEAR(loss.item<double>(), std::log(3), 1e-6);
  loss.backward();
  EXPECT_TRUE(zeros.grad().isfinite().all().item<bool>());
}

ClassStatistics statistics_around(const at::Tensor& means) {
  const std::int64_t classes = means.size(0);
  return {.mean = means,
          .factor = at::zeros({classes, 1, means.size(1)}),
          .rest = at::full({classes}, 0.01f)};
}

// Two tasks of two classes at the four corners of a square, and heads of which the second drowns
// the first: alignment brings every class's mean back to its own class.
TEST(AlignedHeads, DistinguishClassesOfDifferentTasks) {
  for (const char* const kind : {"linear", "cosine"}) {
    const bool is_linear = std::string(kind) == "linear";
    const double scale = is_linear ? 1 : 16;
    const std::vector<ClassStatistics> statistics = {statistics_around(rows({1, 0, -1, 0}, 2)),
                                                     statistics_around(rows({0, 1, 0, -1}, 2))};
    const std::vector<Head> heads = {
        {2, 2, {0.1f, 0.1f, -0.1f, 0.1f}, {0, 0}, kind, scale},
        {2,
         2,
         {1, 0.2f, 1, -0.2f},
         is_linear ? std::vector<float>{1, 1} : std::vector<float>{0, 0},
         kind,
         scale}};
    const at::Tensor means = rows({1, 0, -1, 0, 0, 1, 0, -1}, 2);
    const auto predicted = [&](const std::vector<Head>& of) {
      return place(joined(of), at::kCPU).logits(means).argmax(1);
    };
    const at::Tensor wanted = at::arange(4);
    const std::vector<Head> aligned = aligned_heads(heads, statistics, 1, at::kCPU);
    EXPECT_FALSE(at::equal(predicted(heads), wanted)) << kind;
    EXPECT_TRUE(at::equal(predicted(aligned), wanted)) << kind << predicted(aligned);
    ASSERT_EQ(aligned.size(), 2);
    EXPECT_EQ(aligned[1].kind, kind);
    EXPECT_EQ(aligned[1].scale, scale);
    EXPECT_EQ(aligned, aligned_heads(heads, statistics, 1, at::kCPU));
    EXPECT_NE(aligned, aligned_heads(heads, statistics, 2, at::kCPU));
    if (!is_linear) {
      EXPECT_THAT(aligned[0].bias, ElementsAre(0, 0));
      EXPECT_THAT(aligned[1].bias, ElementsAre(0, 0));
    }
  }
}

TEST(AlignedHeads, StopWhereTheLossIsNotFinite) {
  const std::vector<ClassStatistics> statistics(2, statistics_around(rows({NAN, 0}, 2)));
  const std::vector<Head> heads(2, {1, 2, {1, 2}, {0}});
  EXPECT_THAT([&] { aligned_heads(heads, statistics, 1, at::kCPU); },
              ThrowsMessage<DivergedError>(HasSubstr("alignment of the heads after task 2")));
}

NamedTensors memory_from_heads(const std::vector<Head>& heads) {
  NamedTensors memory;
  put_heads(memory, heads);
  return memory;
}

TEST(LocalClassifier, AnswersWithTheHeadsSideBySideOrWithTheNewestWhereOneServesAll) {
  const NamedTensors memory =
      memory_from_heads({{1, 2, {1, 0}, {0}}, {2, 2, {0, 1, 1, 1}, {0, 0.5f}}});
  // Runs of earlier versions have fitted heads in place of the trained ones.
  for (const char* const text : {"local", "local:refit=5", "local:align=gaussian"}) {
    const auto local = classifiers().make(text);
    EXPECT_NO_THROW(check_memory("a run", memory, local->needs_to_answer(2)));
    const at::Tensor features = rows({3, 4}, 2);
    const ClassScores all = local->scores(memory, {.by_task = {1, 2}}, at::kCPU);
    EXPECT_TRUE(at::equal(all(features), rows({3, 4, 7.5f}, 3)));
    const ClassScores newest = local->scores(memory, {.by_task = {2, 2}, .shared = true}, at::kCPU);
    EXPECT_TRUE(at::equal(newest(features), rows({4, 7.5f}, 2)));
  }
}

TEST(LocalClassifier, AnswersWithItsOwnHeadsWhereItHasSome) {
  NamedTensors memory = memory_from_heads({{1, 2, {1, 0}, {0}}, {1, 2, {0, 1}, {0}}});
  put_head(memory, "classifier/local:refit=5", 1, {1, 2, {1, 1}, {-1}});
  const at::Tensor features = rows({3, 4}, 2);
  const ClassesSeen seen{.by_task = {1, 1}};
  const auto scores = [&](const char* text) {
    return classifiers().make(text)->scores(memory, seen, at::kCPU)(features);
  };
  EXPECT_TRUE(at::equal(scores("local:refit=5"), rows({3, 6}, 2)));
  EXPECT_TRUE(at::equal(scores("local:refit=6"), rows({3, 4}, 2)));
  EXPECT_TRUE(at::equal(scores("local"), rows({3, 4}, 2)));
}

TEST(LocalClassifier, DividesTheLogitsOfEachTaskByTheirNorm) {
  NamedTensors memory = memory_from_heads({{1, 2, {1, 0}, {0}}, {2, 2, {0, 1, 1, 1}, {0, 0.5f}}});
  const auto put_norm = [&](const char* task, float norm) {
    memory.put(concat("classifier/local:normalise=true/", task, "/norm"),
               {.dims = {1}, .values = std::vector<float>{norm}});
  };
  put_norm("0", 2);
  put_norm("1", 0.5f);
  const auto local = classifiers().make("local:normalise=true");
  const at::Tensor features = rows({3, 4}, 2);
  const ClassesSeen own{.by_task = {1, 2}}, shared{.by_task = {2, 2}, .shared = true};
  EXPECT_TRUE(at::equal(local->scores(memory, own, at::kCPU)(features), rows({1.5f, 8, 15}, 3)));
  EXPECT_TRUE(at::equal(local->scores(memory, shared, at::kCPU)(features), rows({8, 15}, 2)));
  EXPECT_NO_THROW(local->check(memory, own));
  put_norm("1", 0);
  EXPECT_THAT([&] { local->check(memory, own); },
              ThrowsMessage<Error>(
                  HasSubstr("classifier/local:normalise=true/1/norm: expected a number above 0")));
}

TEST(LocalClassifier, NeedsWhatOnlyTheTasksDataGives) {
  const auto names = [](const char* text, bool optional) {
    std::vector<std::string> found;
    for (const NeededMemory& part : classifiers().make(text)->needs(1))
      if (part.is_optional == optional)
        found.insert(found.end(), part.names.begin(), part.names.end());
    return found;
  };
  EXPECT_THAT(classifiers().make("local")->needs(2), IsEmpty());
  EXPECT_THAT(names("local:refit=3", false), IsEmpty());
  EXPECT_THAT(names("local:refit=3", true),
              ElementsAre("classifier/local:refit=3/0/weight", "classifier/local:refit=3/0/bias"));
  EXPECT_THAT(names("local:align=gaussian", false),
              ElementsAre("classifier/local:align=gaussian/0/mean",
                          "classifier/local:align=gaussian/0/factor",
                          "classifier/local:align=gaussian/0/rest"));
  EXPECT_THAT(names("local:align=gaussian", true),
              ElementsAre("classifier/local:align=gaussian/0/weight",
                          "classifier/local:align=gaussian/0/bias"));
  EXPECT_THAT(classifiers().make("local:align=gaussian")->needs_to_answer(1).size(), 1);
  EXPECT_THAT(names("local:refit=3,align=gaussian", true),
              Contains("classifier/local:refit=3,align=gaussian/refitted/0/weight"));
  EXPECT_THAT(names("local:normalise=true", false),
              ElementsAre("classifier/local:normalise=true/0/norm"));
}

TEST(LocalClassifier, AnAlignmentOfAnEarlierVersionDoesNotContinue) {
  NamedTensors memory = memory_from_heads({{1, 2, {1, 0}, {0}}});
  for (const char* const name : {"classifier/local/0/mean", "classifier/local/0/variance"})
    memory.put(name, {.dims = {1, 2}, .values = std::vector<float>(2)});
  const auto align = classifiers().make("local:align=gaussian");
  EXPECT_NO_THROW(check_memory("a run", memory, align->needs_to_answer(1)));
  EXPECT_THAT([&] { check_memory("cannot resume", memory, align->needs(1)); },
              ThrowsMessage<UsageError>(AllOf(
                  HasSubstr("with --classifier local:align=gaussian: expected "
                            "classifier/local:align=gaussian/0/mean in its memory, found "
                            "classifier/local: it kept no class statistics"),
                  HasSubstr("only a run with --classifier local:align=gaussian keeps them"))));
}

TEST(LocalClassifier, LearnsAsItsKeysSay) {
  EXPECT_FALSE(classifiers().make("local")->takes_features());
  for (const char* const text : {"local:refit=20", "local:align=gaussian", "local:normalise=true"})
    EXPECT_TRUE(classifiers().make(text)->takes_features()) << text;
  EXPECT_TRUE(classifiers().make("local:refit=20")->refits_heads());
  EXPECT_TRUE(classifiers().make("local:align=gaussian")->aligns_heads());
  EXPECT_FALSE(classifiers().make("local:normalise=true")->aligns_heads());
  EXPECT_NO_THROW(classifiers().make("local:refit=3,normalise=true"));
  EXPECT_THAT([] { classifiers().make("local:align=gaussian,normalise=true"); },
              ThrowsMessage<UsageError>(HasSubstr("give one of the two")));
  EXPECT_THAT([] { classifiers().make("local:align=5"); },
              ThrowsMessage<UsageError>(
                  AllOf(HasSubstr("align"), HasSubstr("none or gaussian"), HasSubstr("5"))));
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

  at::Tensor features() {
    Session session = stream_.session({});
    const auto objective = objectives().make(stream_.config.objective);
    TaskPasses passes(session, stream_.task(), *objective);
    return passes.features(stream_.pretrained());
  }

  Task second() const {
    Task task = stream_.task();
    task.index = 1;
    return task;
  }

  const Head flat_{2, 32, std::vector<float>(64, 0.1f), {0, 0}};
};

TEST_F(LocalLearns, NothingUnlessAsked) {
  const NamedTensors memory = memory_from_heads({flat_});
  EXPECT_EQ(learned("local", memory, stream_.task()), memory);
}

TEST_F(LocalLearns, RefitFitsItsOwnHeadToTheMergedModel) {
  const NamedTensors memory = learned("local:refit=5", memory_from_heads({flat_}), stream_.task());
  EXPECT_THAT(heads_in(memory), ElementsAre(flat_));
  EXPECT_THAT(memory.names("classifier"),
              ElementsAre("classifier/local:refit=5/0/bias", "classifier/local:refit=5/0/weight"));
  const Head own = heads_in(memory, "classifier/local:refit=5").front();
  Session session = stream_.session({});
  EXPECT_LT(measure_loss(session, stream_.task(), own),
            0.9 * measure_loss(session, stream_.task(), flat_));
  EXPECT_NE(own,
            heads_in(learned("local:refit=6", memory, stream_.task()), "classifier/local:refit=6")
                .front());
}

// The first task's classes are all there are: its steps have compared them.
TEST_F(LocalLearns, AlignKeepsStatisticsOfEveryTaskAndHasItsOwnHeadsFromTheSecondOn) {
  const char* const own = "classifier/local:align=gaussian";
  NamedTensors memory = learned("local:align=gaussian", memory_from_heads({flat_}), stream_.task());
  const ClassStatistics expected = class_statistics(features(), stream_.task().train.targets, 2);
  const bool is_root = memory.contains(concat(own, "/0/mean"));
  EXPECT_EQ(heads_in(memory, own).front(), flat_);
  for (const std::string& name : memory.names(own)) {
    const bool is_head = name.ends_with("/weight") || name.ends_with("/bias");
    EXPECT_EQ(memory.at(name).keeper, is_head ? Keeper::kEveryRank : Keeper::kRoot);
  }
  Head other = flat_;
  other.bias = {1, -1};
  put_head(memory, 1, other);
  memory = learned("local:align=gaussian", memory, second());
  EXPECT_THAT(heads_in(memory), ElementsAre(flat_, other));
  const std::vector<Head> aligned = heads_in(memory, own);
  EXPECT_NE(aligned[0], flat_);
  EXPECT_NE(aligned[1], other);
  // It begins with the trained heads again, not with the aligned ones.
  EXPECT_EQ(learned("local:align=gaussian", memory, second()), memory);
  if (!is_root) return;
  std::vector<ClassStatistics> statistics;
  for (std::int64_t task = 0; task < 2; ++task) {
    statistics.push_back(class_statistics_in(memory, own, task));
    EXPECT_TRUE(at::equal(statistics.back().mean, expected.mean));
    EXPECT_TRUE(at::equal(statistics.back().factor, expected.factor));
  }
  EXPECT_EQ(aligned,
            aligned_heads(std::vector{flat_, other}, statistics, stream_.config.seed, at::kCPU));
}

TEST_F(LocalLearns, AnAlignmentBeginsWithRefittedHeads) {
  const std::string own = "classifier/local:refit=5,align=gaussian";
  NamedTensors memory =
      learned("local:refit=5,align=gaussian", memory_from_heads({flat_}), stream_.task());
  const Head refitted =
      heads_in(learned("local:refit=5", memory, stream_.task()), "classifier/local:refit=5")
          .front();
  EXPECT_THAT(heads_in(memory, own + "/refitted"), ElementsAre(refitted));
  put_head(memory, 1, flat_);
  memory = learned("local:refit=5,align=gaussian", memory, second());
  EXPECT_THAT(heads_in(memory), Each(flat_));
  EXPECT_EQ(heads_in(memory, own + "/refitted")[0], refitted);
  EXPECT_NE(heads_in(memory, own)[0], refitted);
}

TEST_F(LocalLearns, NormaliseKeepsTheMeanNormOfTheTasksLogits) {
  const auto norm = [&](const char* text, const Head& head) {
    const NamedTensors memory = learned(text, memory_from_heads({head}), stream_.task());
    return memory.values<float>(concat("classifier/", text, "/0/norm"), {1})[0];
  };
  const auto expected = [&](const Head& head) {
    return place(head, at::kCPU).logits(features()).square().sum(1).sqrt().mean().item<float>();
  };
  EXPECT_FLOAT_EQ(norm("local:normalise=true", flat_), expected(flat_));
  const NamedTensors refitted =
      learned("local:refit=5", memory_from_heads({flat_}), stream_.task());
  EXPECT_FLOAT_EQ(norm("local:refit=5,normalise=true", flat_),
                  expected(heads_in(refitted, "classifier/local:refit=5").front()));
  // Zeros stay zeros; one class is as good as several.
  EXPECT_EQ(norm("local:normalise=true", {2, 32, std::vector<float>(64), {0, 0}}), 1);
  EXPECT_FLOAT_EQ(norm("local:normalise=true", {1, 32, std::vector<float>(32), {-3}}), 3);
}

TEST(LocalMemory, OfOtherTasksIsRefused) {
  const auto align = classifiers().make("local:align=gaussian");
  const std::string own = "classifier/local:align=gaussian";
  NamedTensors memory = memory_from_heads({{2, 1, {1, 0}, {0, 0}}});
  put_class_statistics(memory, own, 0, statistics_around(rows({1, 0}, 1)));
  EXPECT_NO_THROW(align->check(memory, {.by_task = {2}}));
  EXPECT_THAT([&] { align->check(memory, {.by_task = {3}}); },
              ThrowsMessage<Error>(HasSubstr(
                  "classifier/local:align=gaussian/0: expected statistics of 3 classes")));
  put_class_statistics(
      memory, own, 0,
      {.mean = at::zeros({2, 1}), .factor = at::zeros({2, 1, 1}), .rest = at::full({2}, -1.0f)});
  EXPECT_THAT([&] { align->check(memory, {.by_task = {2}}); },
              ThrowsMessage<Error>(HasSubstr("/0/rest: expected no value below 0")));
  memory.put(own + "/0/mean", {.dims = {2}, .values = std::vector<float>(2)});
  EXPECT_THAT([&] { align->check(memory, {.by_task = {2}}); },
              ThrowsMessage<Error>(HasSubstr("/0/mean: expected float32 [n, n], found")));
  put_head(memory, "classifier/local:refit=5", 0, {3, 1, {1, 0, 0}, {0, 0, 0}});
  EXPECT_THAT([&] { classifiers().make("local:refit=5")->check(memory, {.by_task = {2}}); },
              ThrowsMessage<Error>(HasSubstr("expected float32 [2, 1], found float32 [3, 1]")));
  EXPECT_NO_THROW(classifiers().make("local")->check(memory, {.by_task = {3}}));
}

TEST_F(LocalLearns, BeforeTheMergeItAnswersAsIfTheMergeHadKeptTheTask) {
  Session session = stream_.session({});
  const auto objective = objectives().make(stream_.config.objective);
  TaskPasses passes(session, stream_.task(), *objective);
  const NamedTensors memory = memory_from_heads({flat_});
  const ClassesSeen seen{.by_task = {2}};
  const at::Tensor input = at::ones({3, 32});
  for (const char* const text : {"local", "local:refit=5", "local:normalise=true"}) {
    const auto local = classifiers().make(text);
    const NamedTensors after = learned(text, memory, stream_.task());
    EXPECT_TRUE(
        at::equal(local->scores_before_merge(passes, stream_.pretrained(), seen, memory)(input),
                  local->scores(after, seen, at::kCPU)(input)))
        << text;
  }
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
