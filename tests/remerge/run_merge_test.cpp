// A recorded run merged again: the run's own bits, and what every other choice must give.
#include "palimpsest/remerge/run_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "palimpsest/core/error.h"
#include "recorded_stream.h"
#include "support/rewrite_task.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kRules[] = {"closed-form",
                                  "closed-form:by=module",
                                  "closed-form:by=module,shrink=0.5",
                                  "closed-form:by=direction",
                                  "closed-form:by=coordinate",
                                  "closed-form:by=coordinate,shrink=0.5",
                                  "became",
                                  "average",
                                  "ema:rate=0.25",
                                  "fixed:alpha=0.25",
                                  "first",
                                  "none"};

template <typename Expected>
std::string error_message(const std::function<void()>& action) {
  try {
    action();
  } catch (const Expected& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

// Weights of a few units, rounded to float32 (by 6e-8 of themselves) in each of four merges.
void expect_near(const std::vector<float>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-6) << i;
}

// The minimum of the quadratics over all points theta.
std::vector<double> fisher_mean(const RecordedStream& stream,
                                const std::vector<std::size_t>& tasks) {
  std::vector<double> mean(38);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    double s0 = 0, s1 = 0;
    for (const std::size_t t : tasks) {
      s0 += stream.factors[t] * stream.fishers[t][i];
      s1 += stream.factors[t] * stream.fishers[t][i] * stream.optima[t][i];
    }
    mean[i] = s1 / s0;
  }
  return mean;
}

// Of four tasks the last two trained no factor: under every rule they leave theta_hat as it is.
TEST(RunMerge, TasksWithoutFactorsLeaveTheWeights) {
  for (const char* rule : kRules) {
    const RecordedStream stream([&](int) { return rule; }, 4, 1, false, /*learning=*/2);
    EXPECT_EQ(stream.merged[2], stream.merged[4]) << rule;
    const RemergeResult own = remerge_run({.run = stream.folder});
    EXPECT_EQ(own.record.weights, stream.merged.back()) << rule;
    EXPECT_EQ(own.verified, 4) << rule;
    const RemergeResult other = remerge_run({.run = stream.folder, .rule = "fixed:alpha=0.5"});
    EXPECT_EQ(other.tasks[1].record.weights_after, other.tasks[3].record.weights_after) << rule;
    EXPECT_THAT(other.tasks[3].record.remark, HasSubstr("nothing to merge")) << rule;
    const RemergeResult without = remerge_run({.run = stream.folder, .removed = 3});
    EXPECT_EQ(without.record.weights, stream.merged.back()) << rule;
  }
  const RecordedStream stream([](int) { return "none"; }, 4, 1, false, 2);
  const RemergeResult largest = remerge_run({.run = stream.folder, .rule = "magmax"});
  const RecordedStream first_two("none", 2);
  EXPECT_EQ(largest.record.weights,
            remerge_run({.run = first_two.folder, .rule = "magmax"}).record.weights);
}

TEST(RunMerge, AnAuditPredictsNothingForTasksWithoutFactors) {
  const RecordedStream stream([](int) { return "closed-form"; }, 3, 1, false, /*learning=*/2);
  const Audit audit = audit_run(stream.folder, 1);
  ASSERT_EQ(audit.predicted.size(), 3);
  EXPECT_TRUE(audit.predicted[2][0].has_value());
  EXPECT_EQ(audit.predicted[2][0], audit.predicted[1][0]);
  EXPECT_FALSE(audit.predicted[2][2].has_value());
}

TEST(RunMerge, GivesTheRecordedHashesUnderEveryRule) {
  for (const char* rule : kRules) {
    const RecordedStream stream(rule);
    for (const char* asked : {"", rule}) {
      for (const int threads : {1, 2}) {
        const RemergeResult result =
            remerge_run({.run = stream.folder, .rule = asked, .threads = threads});
        EXPECT_EQ(result.record.weights, stream.merged.back()) << rule;
        EXPECT_EQ(result.record.post_hoc, "") << rule;
        EXPECT_EQ(result.verified, 4) << rule;
        ASSERT_EQ(result.tasks.size(), 4);
        for (std::size_t t = 0; t < 4; ++t) {
          EXPECT_EQ(result.tasks[t].record.weights_after, weights_hash(stream.merged[t + 1]));
        }
      }
    }
    // The run as it was after its second task.
    const RemergeResult early = remerge_run({.run = stream.folder, .rule = "", .tasks = {0, 1}});
    EXPECT_EQ(early.record.weights, stream.merged[2]);
    EXPECT_EQ(early.record.post_hoc, "");
  }
}

TEST(RunMerge, FollowsARunWhoseRuleChangedOnTheWay) {
  const RecordedStream stream([](int t) { return t < 2 ? "closed-form:by=direction" : "average"; },
                              4, 2);
  const RemergeResult result = remerge_run({.run = stream.folder, .rule = ""});
  EXPECT_EQ(result.record.weights, stream.merged.back());
  EXPECT_EQ(result.record.post_hoc, "");
  EXPECT_NE(remerge_run({.run = stream.folder, .rule = "average"}).record.post_hoc, "");
}

// As with a penalty that needs them: every Fisher is in the memory, also of tasks whose rule needs
// none.
TEST(RunMerge, FollowsARunThatKeptFishersUnderRulesThatNeedNone) {
  const std::vector<std::vector<std::string>> runs = {
      {"none", "none", "closed-form", "closed-form"},
      {"closed-form", "average", "closed-form", "average"},
      {"average", "closed-form:by=coordinate", "average", "became"}};
  for (const auto& rules : runs) {
    const RecordedStream stream([&](int t) { return rules[static_cast<std::size_t>(t)]; }, 4, 3,
                                true);
    const RemergeResult own = remerge_run({.run = stream.folder, .rule = ""});
    EXPECT_EQ(own.record.weights, stream.merged.back()) << rules[2];
    EXPECT_EQ(own.record.post_hoc, "");
    const Audit audit = audit_run(stream.folder, 1);
    for (std::size_t t = 0; t < 4; ++t) {
      EXPECT_EQ(own.tasks[t].predicted_rise, audit.predicted[t][t]) << rules[t];
    }
    const RemergeResult other =
        remerge_run({.run = stream.folder, .rule = "closed-form:by=coordinate"});
    expect_near(other.record.weights, fisher_mean(stream, {0, 1, 2, 3}));
    for (std::int64_t removed = 0; removed < 4; ++removed) {
      std::vector<std::int64_t> others{0, 1, 2, 3};
      std::erase(others, removed);
      const RemergeResult without =
          remerge_run({.run = stream.folder, .rule = "", .removed = removed});
      const RemergeResult chosen = remerge_run({.run = stream.folder, .rule = "", .tasks = others});
      for (std::size_t i = 0; i < 38; ++i) {
        ASSERT_NEAR(without.record.weights[i], chosen.record.weights[i], 2e-7) << rules[2];
      }
    }
  }
}

// Whatever rule the run had: by another one the end points alone count.
TEST(RunMerge, OfAnotherRuleGoesTowardsTheEndPoints) {
  for (const char* own : kRules) {
    const RecordedStream stream(own);
    const RemergeResult average = remerge_run({.run = stream.folder, .rule = "average"});
    std::vector<double> mean(38), last(38);
    for (std::size_t i = 0; i < 38; ++i) {
      for (const auto& optimum : stream.optima) mean[i] += optimum[i] / 4.0;
      last[i] = stream.optima.back()[i];
    }
    expect_near(average.record.weights, mean);
    expect_near(remerge_run({.run = stream.folder, .rule = "none"}).record.weights, last);
    EXPECT_EQ(average.record.post_hoc.empty(), std::string(own) == "average") << own;
    if (!make_merge_rule(own)->needs().fisher) continue;
    const RemergeResult fisher =
        remerge_run({.run = stream.folder, .rule = "closed-form:by=coordinate"});
    expect_near(fisher.record.weights, fisher_mean(stream, {0, 1, 2, 3}));
  }
}

TEST(RunMerge, OfSomeTasksTakesThoseAlone) {
  for (const char* own : {"closed-form", "closed-form:by=direction", "closed-form:by=coordinate"}) {
    const RecordedStream stream(own);
    const RemergeResult result = remerge_run(
        {.run = stream.folder, .rule = "closed-form:by=coordinate", .tasks = {0, 1, 3}});
    expect_near(result.record.weights, fisher_mean(stream, {0, 1, 3}));
    EXPECT_EQ(result.record.task_names,
              (std::vector<std::string>{"stream 1", "stream 2", "stream 4"}));
    EXPECT_EQ(result.tasks[2].index, 3);
    EXPECT_THAT(result.record.post_hoc, HasSubstr("task 3 is left out, but task 4 was trained"));
  }
}

// To rounding: S0 and S1 are (sum over all) - (the task's) in one, the sums over the others in the
// other; that moves alpha by 1e-15, and a weight by its last bit.
TEST(RunMerge, RemovingATaskIsMergingTheOthers) {
  for (const char* own :
       {"closed-form", "closed-form:by=module", "became", "average", "closed-form:by=coordinate"}) {
    const RecordedStream stream(own);
    for (std::int64_t removed = 0; removed < 4; ++removed) {
      std::vector<std::int64_t> others{0, 1, 2, 3};
      std::erase(others, removed);
      RunRequest request{.run = stream.folder, .rule = "", .removed = removed};
      RemergeResult without = remerge_run(request);
      const RemergeResult chosen = remerge_run({.run = stream.folder, .rule = "", .tasks = others});
      ASSERT_EQ(without.tasks.size(), 3);
      for (std::size_t i = 0; i < 38; ++i) {
        ASSERT_NEAR(without.record.weights[i], chosen.record.weights[i], 2e-7) << own;
      }
      for (std::size_t t = 0; t < 3; ++t) {
        EXPECT_NEAR(*without.tasks[t].record.alpha(), *chosen.tasks[t].record.alpha(), 1e-7);
      }
      add_heads(without, request);
      EXPECT_EQ(without.record.heads.size(), 3);
      EXPECT_EQ(without.record.classes[0][0], removed == 0 ? "left 1" : "left 0");
      EXPECT_EQ(without.record.post_hoc.empty(), removed == 3);
      EXPECT_THAT(without.remarks.front(), HasSubstr("its head is dropped"));
    }
    EXPECT_EQ(remerge_run({.run = stream.folder, .rule = "", .removed = 3}).record.weights,
              stream.merged[3]);
  }
}

TEST(RunMerge, RulesOverAllTaskVectorsNeedTheirTraining) {
  const RecordedStream pretrained("fixed:alpha=0"), sequential("none"), merged("closed-form");
  const RemergeResult sum =
      remerge_run({.run = pretrained.folder, .rule = "task-arithmetic:scale=0.5"});
  std::vector<double> expected(38);
  for (std::size_t i = 0; i < 38; ++i) {
    for (const auto& optimum : pretrained.optima) expected[i] += 0.5 * optimum[i];
  }
  expect_near(sum.record.weights, expected);
  EXPECT_THAT(sum.record.post_hoc, HasSubstr("from the pretrained model, as this rule expects"));

  const RemergeResult magmax = remerge_run({.run = sequential.folder, .rule = "magmax"});
  for (std::size_t i = 0; i < 38; ++i) {
    float largest = 0;
    for (const auto& optimum : sequential.optima) {
      if (std::abs(optimum[i]) > std::abs(largest)) largest = optimum[i];
    }
    EXPECT_EQ(magmax.record.weights[i], largest);
  }
  const auto refusal = [](const RecordedStream& stream, const char* rule) {
    return error_message<UsageError>([&] { remerge_run({.run = stream.folder, .rule = rule}); });
  };
  EXPECT_THAT(refusal(merged, "ties"), HasSubstr("starts from the pretrained model"));
  EXPECT_THAT(refusal(merged, "magmax"), HasSubstr("the last task's model, unmerged"));
  EXPECT_THAT(refusal(sequential, "dare:drop=0.5"), HasSubstr("Train with --merge fixed:alpha=0"));
  // What the first task left isn't the pretrained model.
  EXPECT_THAT(refusal(RecordedStream("first"), "ties"), HasSubstr("the pretrained model"));
}

TEST(RunMerge, RefusesWhatTheRecordsLack) {
  const RecordedStream average("average"), closed("closed-form");
  EXPECT_THAT(error_message<UsageError>(
                  [&] { remerge_run({.run = average.folder, .rule = "closed-form"}); }),
              AllOf(HasSubstr("task 1 has none"), HasSubstr("Fisher")));
  EXPECT_THAT(
      error_message<UsageError>(
          [&] { remerge_run({.run = closed.folder, .rule = "closed-form:by=direction"}); }),
      AllOf(HasSubstr("that of task 3 has none in this merge"), HasSubstr("no longer s B A")));
  EXPECT_THAT(error_message<UsageError>(
                  [&] { remerge_run({.run = closed.folder, .rule = "", .tasks = {4}}); }),
              HasSubstr("has the tasks 1 to 4; there is no task 5"));
  EXPECT_THAT(error_message<UsageError>([&] {
                remerge_run({.run = closed.folder, .rule = "", .tasks = {1, 1}});
              }),
              HasSubstr("ascending"));
  EXPECT_THAT(error_message<UsageError>([&] { audit_run(average.folder, 1); }),
              HasSubstr("task 1 has no Fisher"));
  EXPECT_THAT(error_message<InputError>([&] { remerge_run({.run = "/nowhere", .rule = ""}); }),
              HasSubstr("expected a run folder"));
}

// The record is whole by its own hashes, and still isn't what the run computed.
TEST(RunMerge, AMergeWithAnotherHashNamesTheTask) {
  const RecordedStream stream("closed-form");
  const RunFolder run(stream.folder);
  TaskRecord record = run.task(2);
  record.lora[1].b[0] += 0.01f;
  rewrite_task(run, record);
  for (const char* rule : {"", "average"}) {
    EXPECT_THAT(
        error_message<InputError>([&] { remerge_run({.run = stream.folder, .rule = rule}); }),
        AllOf(HasSubstr("task-0002.h5: task 3, merged again by closed-form"),
              HasSubstr(record.merge.weights_after)));
  }
}

TEST(RunMerge, MixedKindsAreRefused) {
  const RecordedStream stream("closed-form");
  const RunFolder run(stream.folder);
  TaskRecord record = run.task(1);
  record.fisher->kind = "gram";
  rewrite_task(run, record);
  EXPECT_THAT(error_message<UsageError>([&] { remerge_run({.run = stream.folder, .rule = ""}); }),
              AllOf(HasSubstr("task 1 is empirical-per-sample"), HasSubstr("of task 2 is gram")));
}

TEST(Audit, IsTheQuadraticOfEveryTaskAfterEveryMerge) {
  const RecordedStream stream("closed-form");
  const Audit audit = audit_run(stream.folder, 2);
  EXPECT_TRUE(audit.measured.empty());
  for (std::size_t t = 0; t < 4; ++t) {
    ASSERT_EQ(audit.predicted[t].size(), t + 1);
    for (std::size_t task = 0; task <= t; ++task) {
      double rise = 0;
      for (std::size_t i = 0; i < 38; ++i) {
        const double d = static_cast<double>(stream.merged[t + 1][i]) - stream.optima[task][i];
        rise += 0.5 * stream.factors[task] * stream.fishers[task][i] * d * d;
      }
      EXPECT_NEAR(audit.predicted[t][task].value(), rise, 1e-12 * rise);
    }
  }
  const RemergeResult result = remerge_run({.run = stream.folder, .rule = ""});
  for (std::size_t t = 0; t < 4; ++t) {
    EXPECT_EQ(result.tasks[t].predicted_rise, audit.predicted[t][t]);
  }
}

// A continued run: the first task's test samples aren't available after the third merge.
TEST(Audit, HasNoMeasuredRiseWhereATaskWasNotTested) {
  const RecordedStream stream("closed-form", 3);
  const RunFolder run(stream.folder);
  for (std::int64_t t = 0; t < 3; ++t) {
    TaskRecord record = run.task(t);
    for (EvaluationRow* row : {&record.metrics.before_merge, &record.metrics.after_merge}) {
      const double loss = row == &record.metrics.before_merge ? 2 : 6;
      Counts samples = row->samples;
      std::vector<double> losses(samples.size(), loss);
      if (t == 2) samples[0] = losses[0] = 0;
      *row = scored(samples, {{"correct", sums(samples)}, {"loss_given_task", losses}});
    }
    rewrite_task(run, record);
  }
  const Audit audit = audit_run(stream.folder, 1);
  const std::optional<double> half = (6.0 - 2.0) / 8;
  const std::vector<std::vector<std::optional<double>>> expected = {
      {half}, {half, half}, {std::nullopt, half, half}};
  EXPECT_EQ(audit.measured, expected);
}

TEST(Cosines, AreThoseOfTheWholeMatrices) {
  const RecordedStream stream("none", 3);
  const Cosines cosines = task_vector_cosines(stream.folder, 2);
  std::vector<std::vector<double>> deltas;
  for (std::size_t t = 0; t < 3; ++t) {
    deltas.emplace_back(38);
    for (std::size_t i = 0; i < 38; ++i) {
      deltas[t][i] = static_cast<double>(stream.optima[t][i]) - stream.merged[t][i];
    }
  }
  const auto dot = [&](std::size_t a, std::size_t b) {
    return std::inner_product(deltas[a].begin(), deltas[a].end(), deltas[b].begin(), 0.0);
  };
  for (std::size_t a = 0; a < 3; ++a) {
    EXPECT_NEAR(cosines.norms[a], std::sqrt(dot(a, a)), 1e-6);
    for (std::size_t b = 0; b < 3; ++b) {
      EXPECT_NEAR(cosines.cosine[a][b], dot(a, b) / std::sqrt(dot(a, a) * dot(b, b)), 1e-6);
    }
  }
}

}  // namespace
}  // namespace palimpsest
