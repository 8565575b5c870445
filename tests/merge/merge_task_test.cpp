// One merge from beginning to end, and what the memory forgets again.
#include "palimpsest/merge/merge_task.h"

#include <gtest/gtest.h>

#include "palimpsest/core/error.h"
#include "support.h"

namespace palimpsest {
namespace {

TaskMerge merge_new_task(const RandomStreamOfTasks& stream, const MergeRule& rule,
                         CurvatureMemory& memory, int threads = 1,
                         const ModuleShare* share = nullptr) {
  return merge_task(rule,
                    {.task = 2,
                     .merged = stream.merged,
                     .task_vector = stream.delta,
                     .layout = stream.layout,
                     .memory = memory,
                     .fisher = stream.fishers.back(),
                     .fisher_factor = 1.7,
                     .factors = stream.factors,
                     .threads = threads,
                     .share = share},
                    stream.optima.back(), memory);
}

// The memory of all tasks but the newest.
CurvatureMemory memory_before(const RandomStreamOfTasks& stream) {
  CurvatureMemory memory(stream.merged.size());
  for (std::size_t task = 0; task + 1 < stream.fishers.size(); ++task) {
    memory.add(stream.fishers[task], stream.optima[task]);
  }
  return memory;
}

// Two ranks with some modules each: `numbers` are those of all modules, as one rank had them.
TEST(MergeTask, SharesOfTheModulesAreMergedAsTheWhole) {
  const RandomStreamOfTasks stream(3);
  const std::span<const AdaptedModule> modules = stream.layout.modules();
  ASSERT_EQ(modules.size(), 2u);
  const auto part_of = [](std::span<const AdaptedModule> own, std::span<const float> flat) {
    std::vector<float> part;
    for (const AdaptedModule& m : own)
      part.insert(part.end(), flat.begin() + m.offset, flat.begin() + m.offset + m.size());
    return part;
  };
  for (const char* const text :
       {"closed-form", "closed-form:by=module,shrink=0.5", "became", "average"}) {
    const auto rule = make_merge_rule(text);
    CurvatureMemory memory = memory_before(stream);
    std::vector<std::vector<double>> sums;  // of all modules, in the order of the calls
    ModuleShare all{.modules = {}, .gather = [&](std::span<const double> own) {
                      return sums.emplace_back(own.begin(), own.end());
                    }};
    for (std::size_t m = 0; m < modules.size(); ++m) all.modules.push_back(m);
    const TaskMerge whole = merge_new_task(stream, *rule, memory, 1, &all);
    for (const bool first : {true, false}) {
      const std::size_t split = 1;
      const auto own = first ? modules.first(split) : modules.subspan(split);
      ModuleShare share;
      for (std::size_t m = first ? 0 : split; m < (first ? split : modules.size()); ++m)
        share.modules.push_back(m);
      std::size_t call = 0;
      share.gather = [&](std::span<const double> numbers) {
        for (std::size_t i = 0; i < numbers.size(); ++i)
          EXPECT_EQ(numbers[i], sums.at(call)[share.modules[i]]);
        return sums.at(call++);
      };
      const AdaptedLayout layout({own.begin(), own.end()});
      CurvatureMemory shard(static_cast<std::size_t>(layout.size()));
      for (std::size_t task = 0; task + 1 < stream.fishers.size(); ++task)
        shard.add(part_of(own, stream.fishers[task]), part_of(own, stream.optima[task]));
      const std::vector<float> merged = part_of(own, stream.merged),
                               delta = part_of(own, stream.delta),
                               fisher = part_of(own, stream.fishers.back());
      const TaskMerge merge = merge_task(*rule,
                                         {.task = 2,
                                          .merged = merged,
                                          .task_vector = delta,
                                          .layout = layout,
                                          .memory = shard,
                                          .fisher = fisher,
                                          .fisher_factor = 1.7,
                                          .share = &share},
                                         part_of(own, stream.optima.back()), shard);
      EXPECT_EQ(merge.merged, part_of(own, whole.merged)) << text;
      EXPECT_EQ(merge.output.coefficients, whole.output.coefficients) << text;
      EXPECT_EQ(merge.mass_before, whole.mass_before) << text;
      EXPECT_EQ(merge.predicted_rise, whole.predicted_rise) << text;
      EXPECT_EQ(call, sums.size()) << text;
    }
  }
}

// By hand: one weight, theta_hat_1 = 1, Delta = 2, F_1 = 3 at theta_1* = 1, F_2 = 0.5, factor 2.
// alpha = F_2 / (F_1 + F_2), scaled, = 1/4; theta_hat_2 = 1.5; d = 1.5 - 3.
// theta_hat stays, whatever the rule, and nothing enters the memory.
TEST(MergeTask, KeepsTheWeightsOfATaskWithoutATaskVector) {
  const RandomStreamOfTasks stream(3);
  for (const char* const text : {"closed-form", "closed-form:by=direction", "became", "average",
                                 "fixed:alpha=0.25", "none"}) {
    const auto rule = make_merge_rule(text);
    CurvatureMemory memory = memory_before(stream);
    const std::vector<double> before(memory.s0().begin(), memory.s0().end());
    const TaskMerge merge = merge_task(*rule,
                                       {.task = 2,
                                        .merged = stream.merged,
                                        .task_vector = {},
                                        .layout = stream.layout,
                                        .memory = memory},
                                       stream.merged, memory);
    EXPECT_EQ(merge.merged, stream.merged) << text;
    EXPECT_EQ(merge.output.coefficients, std::vector<double>{1}) << text;
    EXPECT_EQ(merge.remark.starts_with("nothing to merge: "), rule->changes_trained()) << text;
    EXPECT_FALSE(merge.predicted_rise.has_value()) << text;
    EXPECT_TRUE(std::ranges::equal(memory.s0(), before)) << text;
  }
}

TEST(MergeTask, IsWorkedOutByHand) {
  const AdaptedLayout layout({{.name = "a", .out = 1, .in = 1}});
  CurvatureMemory memory(1);
  const std::vector<float> one{1}, two{2}, three{3}, half{0.5f};
  memory.add(three, one);
  const TaskMerge merge = merge_task(*make_merge_rule("closed-form"),
                                     {.task = 1,
                                      .merged = one,
                                      .task_vector = two,
                                      .layout = layout,
                                      .memory = memory,
                                      .fisher = half,
                                      .fisher_factor = 2},
                                     three, memory);
  EXPECT_EQ(merge.output.coefficients, std::vector<double>{0.25});
  EXPECT_EQ(merge.merged, std::vector<float>{1.5f});
  EXPECT_EQ(merge.mass_before, 3 * 4);
  EXPECT_EQ(merge.mass_task, 2 * 0.5 * 4);
  EXPECT_EQ(merge.predicted_rise, 0.5 * 2 * 0.5 * 1.5 * 1.5);
  EXPECT_EQ(memory.s0()[0], 4);
  EXPECT_EQ(memory.s1()[0], 3 + 3);
}

TEST(MergeTask, WithoutAFisherNothingIsPredicted) {
  const AdaptedLayout layout({{.name = "a", .out = 1, .in = 1}});
  CurvatureMemory memory(0);
  const std::vector<float> one{1}, two{2}, three{3};
  const TaskMerge merge =
      merge_task(*make_merge_rule("average"),
                 {.task = 1, .merged = one, .task_vector = two, .layout = layout, .memory = memory},
                 three, memory);
  EXPECT_EQ(merge.merged, std::vector<float>{2});
  EXPECT_FALSE(merge.predicted_rise || merge.mass_task || merge.mass_before);
}

// Threads change no bit; and rules whose coefficients suffice are given again by them, to the last
// bit, while others aren't.
TEST(MergeTask, ThreadsAndCoefficientsGiveTheSameBits) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const RandomStreamOfTasks stream(trial);
    for (const char* text : {"closed-form", "closed-form:by=module", "closed-form:by=direction",
                             "closed-form:by=coordinate", "became", "average", "fixed:alpha=0.3"}) {
      const auto rule = make_merge_rule(text);
      CurvatureMemory one = memory_before(stream), three = memory_before(stream);
      const TaskMerge merge = merge_new_task(stream, *rule, one);
      const TaskMerge threaded = merge_new_task(stream, *rule, three, 3);
      ASSERT_EQ(merge.merged, threaded.merged) << text;
      ASSERT_EQ(merge.output.coefficients, threaded.output.coefficients) << text;
      ASSERT_EQ(merge.predicted_rise, threaded.predicted_rise) << text;
      ASSERT_TRUE(std::ranges::equal(one.s1(), three.s1())) << text;
      if (!rule->coefficients_suffice()) continue;
      ASSERT_EQ(merge_by_coefficients(stream.layout, merge.output.coefficients, stream.merged,
                                      stream.delta, 2),
                merge.merged)
          << text;
    }
  }
  EXPECT_FALSE(make_merge_rule("closed-form:by=direction")->coefficients_suffice());
  EXPECT_FALSE(make_merge_rule("closed-form:by=coordinate")->coefficients_suffice());
  EXPECT_FALSE(make_merge_rule("ties")->coefficients_suffice());
}

// Larger than the parts that are distributed to threads.
TEST(MergeTask, ThreadsGiveTheSameBitsInLargeLayouts) {
  const AdaptedLayout layout(
      {{.name = "a", .out = 700, .in = 900}, {.name = "b", .out = 300, .in = 100}});
  const auto size = static_cast<std::size_t>(layout.size());
  const std::vector<float> merged = random_values(size, 1), delta = random_values(size, 2),
                           weights = random_values(size, 3),
                           fisher = random_values(size, 4, 1, true);
  const auto outcome = [&](int threads) {
    CurvatureMemory memory(size);
    memory.add(fisher, weights, 0.1, threads);
    TaskMerge merge = merge_task(*make_merge_rule("closed-form"),
                                 {.task = 1,
                                  .merged = merged,
                                  .task_vector = delta,
                                  .layout = layout,
                                  .memory = memory,
                                  .fisher = fisher,
                                  .threads = threads},
                                 weights, memory);
    memory.remove(fisher, weights, 0.1, threads);
    return std::pair(std::move(merge.merged), std::vector(memory.s1().begin(), memory.s1().end()));
  };
  const auto one = outcome(1);
  EXPECT_TRUE(one == outcome(2));
  EXPECT_TRUE(one == outcome(3));
}

TEST(MergeTask, AWrongNumberOfCoefficientsIsRefused) {
  const RandomStreamOfTasks stream(1);
  EXPECT_THROW(
      merge_by_coefficients(stream.layout, std::vector<double>(3), stream.merged, stream.delta),
      Error);
}

// What is left after a task is taken out: the sums over the others, to rounding, whichever it was.
TEST(CurvatureMemory, RemovingATaskLeavesTheOthers) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const RandomStreamOfTasks stream(trial);
    const std::size_t removed = trial % 3;
    CurvatureMemory all(stream.merged.size()), others(stream.merged.size());
    for (std::size_t task = 0; task < 3; ++task) {
      const double factor = 0.5 + static_cast<double>(task);
      all.add(stream.fishers[task], stream.optima[task], factor);
      if (task != removed) others.add(stream.fishers[task], stream.optima[task], factor);
    }
    all.remove(stream.fishers[removed], stream.optima[removed], 0.5 + static_cast<double>(removed),
               2);
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_NEAR(all.s0()[i], others.s0()[i], 1e-15 * 8);
      ASSERT_NEAR(all.s1()[i], others.s1()[i], 1e-15 * 8);
      ASSERT_GE(all.s0()[i], 0);
    }
  }
}

TEST(CurvatureMemory, QuadraticRiseIsWorkedOutByHand) {
  // 1/2 (2 * 3^2 + 4 * 1^2)
  EXPECT_EQ(
      quadratic_rise(std::vector<float>{2, 4}, std::vector<float>{4, 0}, std::vector<float>{1, -1}),
      11);
  EXPECT_THROW(
      quadratic_rise(std::vector<float>{2}, std::vector<float>{4, 0}, std::vector<float>{1, -1}),
      Error);
}

}  // namespace
}  // namespace palimpsest
