// The other rules: each computed by hand, and by the property that defines it.
#include <gmock/gmock.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "support.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

// On one module of the given size, without a Fisher.
struct Plain {
  AdaptedLayout layout;
  CurvatureMemory memory{0};
  std::vector<float> merged, delta;
  std::vector<std::span<const float>> spans;  // all task vectors

  Plain(std::vector<float> merged_weights, std::vector<float> task_vector)
      : layout({{.name = "a", .out = 1, .in = static_cast<std::int64_t>(merged_weights.size())}}),
        merged(std::move(merged_weights)),
        delta(std::move(task_vector)) {}
  Plain(const Plain&) = delete;

  MergeInput input(std::int64_t task) const {
    return {.task = task,
            .merged = merged,
            .task_vector = delta,
            .layout = layout,
            .memory = memory,
            .all_task_vectors = spans};
  }
};

// The same with the vectors of all tasks so far.
struct Tasks : Plain {
  std::vector<std::vector<float>> vectors;

  explicit Tasks(std::vector<std::vector<float>> task_vectors)
      : Plain(std::vector<float>(task_vectors.front().size()), task_vectors.back()),
        vectors(std::move(task_vectors)) {
    spans.assign(vectors.begin(), vectors.end());
  }
  std::vector<float> by(std::string_view rule) const {
    return merged_by(rule, input(std::ssize(vectors) - 1)).weights;
  }
};

std::vector<std::vector<float>> random_vectors(std::uint64_t trial) {
  std::vector<std::vector<float>> vectors;
  for (std::uint64_t task = 0; task < 2 + trial % 4; ++task) {
    vectors.push_back(random_values(20, 10 * trial + task));
  }
  return vectors;
}

TEST(FixedShares, ByHand) {
  const Plain plain({1, 0}, {2, -4});
  const auto first = [&](std::string_view rule) { return merged_by(rule, plain.input(0)).weights; };
  const auto third = [&](std::string_view rule) { return merged_by(rule, plain.input(2)).weights; };
  EXPECT_THAT(first("ema:rate=0.25"), ElementsAre(3, -4));
  EXPECT_THAT(third("ema:rate=0.25"), ElementsAre(1.5, -1));
  EXPECT_THAT(first("fixed:alpha=0.25"), ElementsAre(1.5, -1));
  EXPECT_THAT(third("fixed:alpha=0.25"), ElementsAre(1.5, -1));
  EXPECT_THAT(first("first"), ElementsAre(3, -4));
  EXPECT_THAT(third("first"), ElementsAre(1, 0));
  EXPECT_THAT(first("average"), ElementsAre(3, -4));
  EXPECT_FLOAT_EQ(third("average")[0], 1 + 2.0f / 3);
}

TEST(FixedShares, NoneReproducesTheTrainedWeightsForAThousandRandomOnes) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Plain plain(random_values(20, 2 * trial), random_values(20, 2 * trial + 1));
    const auto merged = merged_by("none", plain.input(static_cast<std::int64_t>(trial % 5)));
    for (std::size_t i = 0; i < 20; ++i) {
      ASSERT_EQ(merged.weights[i], plain.merged[i] + plain.delta[i]);
    }
  }
}

TEST(FixedShares, FixedGoesItsShareAndFirstStaysForAThousandRandomOnes) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Plain plain(random_values(20, 2 * trial), random_values(20, 2 * trial + 1));
    const double alpha = static_cast<double>(trial) / 1000;
    const auto task = static_cast<std::int64_t>(trial % 5);
    const auto fixed = merged_by("fixed:alpha=" + std::to_string(alpha), plain.input(task)).weights;
    const auto first = merged_by("first", plain.input(task)).weights;
    for (std::size_t i = 0; i < 20; ++i) {
      ASSERT_FLOAT_EQ(fixed[i], static_cast<float>(plain.merged[i] + alpha * plain.delta[i]));
      ASSERT_EQ(first[i], task == 0 ? plain.merged[i] + plain.delta[i] : plain.merged[i]);
    }
  }
}

// The running mean over a stream is the mean of all end points; EMA weighs them by
// rate (1 - rate)^(age), the first by what is left.
TEST(FixedShares, AverageAndEmaAreMeansOfTheEndPointsForAThousandRandomStreams) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const auto ends = random_vectors(trial);
    std::vector<float> average(20), ema(20);
    for (std::size_t task = 0; task < ends.size(); ++task) {
      const auto step = [&](std::string_view rule, std::vector<float>& merged) {
        std::vector<float> delta = ends[task];
        add_scaled(delta, -1, merged);
        merged =
            merged_by(rule, Plain(merged, delta).input(static_cast<std::int64_t>(task))).weights;
      };
      step("average", average);
      step("ema:rate=0.3", ema);
    }
    for (std::size_t i = 0; i < 20; ++i) {
      double mean = 0, weighted = 0;
      for (std::size_t task = 0; task < ends.size(); ++task) {
        const double age = static_cast<double>(ends.size() - 1 - task);
        mean += ends[task][i] / static_cast<double>(ends.size());
        weighted += ends[task][i] * std::pow(0.7, age) * (task == 0 ? 1 : 0.3);
      }
      ASSERT_NEAR(average[i], mean, 1e-6) << trial;
      ASSERT_NEAR(ema[i], weighted, 1e-6) << trial;
    }
  }
}

// By hand: Delta' F_t Delta = 2 * 4 = 8 with the factor, Delta' S0 Delta = 8 + 3 * 4 = 20.
TEST(Became, ByHand) {
  const AdaptedLayout layout({{.name = "a", .out = 1, .in = 1}});
  CurvatureMemory memory(1);
  const std::vector<float> merged{1}, delta{2}, fisher{1};
  memory.add(std::vector<float>{3}, std::vector<float>{-5});
  memory.add(fisher, std::vector<float>{3}, 2);
  const auto outcome = merged_by("became", {.task = 1,
                                            .merged = merged,
                                            .task_vector = delta,
                                            .layout = layout,
                                            .memory = memory,
                                            .fisher = fisher,
                                            .fisher_factor = 2});
  EXPECT_DOUBLE_EQ(outcome.output.coefficients[0], 0.4);
  EXPECT_FLOAT_EQ(outcome.weights[0], 1.8f);
}

// The closed form without its cross term: the same where theta_hat is the earlier tasks' optimum.
TEST(Became, IsTheClosedFormAtTheOptimumOfThePastForAThousandRandomStreams) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    RandomStreamOfTasks stream(trial);
    stream.memory = CurvatureMemory(38);
    stream.memory.add(stream.fishers[0], stream.merged);
    stream.memory.add(stream.fishers[2], stream.optima[2]);
    const double became = merged_by("became", stream.input()).output.coefficients[0];
    const double closed = merged_by("closed-form", stream.input()).output.coefficients[0];
    ASSERT_NEAR(became, closed, 1e-6) << trial;
    ASSERT_TRUE(0 <= became && became <= 1);
  }
}

TEST(Became, AZeroDenominatorIsAnError) {
  const Plain plain({1, 0}, {2, -4});
  const CurvatureMemory memory(2);
  const std::vector<float> fisher(2);
  EXPECT_THAT(
      [&] {
        merged_by("became", {.task = 1,
                             .merged = plain.merged,
                             .task_vector = plain.delta,
                             .layout = plain.layout,
                             .memory = memory,
                             .fisher = fisher});
      },
      ThrowsMessage<Error>(HasSubstr("positive denominator")));
}

TEST(TaskArithmetic, IsTheScaledSum) {
  EXPECT_THAT(Tasks({{1, 2}, {3, -6}}).by("task-arithmetic:scale=0.5"), ElementsAre(2, -2));
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Tasks tasks(random_vectors(trial));
    const auto merged = tasks.by("task-arithmetic:scale=0.25");
    for (std::size_t i = 0; i < 20; ++i) {
      double sum = 0;
      for (const auto& vector : tasks.vectors) sum += vector[i];
      ASSERT_FLOAT_EQ(merged[i], static_cast<float>(0.25 * sum));
    }
  }
}

// The mean over a thousand seeds is the sum that nothing was dropped of; each element is 0 or
// v/(1-p).
TEST(Dare, KeepsTheExpectation) {
  const Tasks tasks({{1, -2, 0.5f}, {0.25f, 4, -1}});
  std::vector<double> mean(3);
  constexpr int kSeeds = 1000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto merged = tasks.by("dare:drop=0.75,seed=" + std::to_string(seed));
    for (std::size_t i = 0; i < 3; ++i) mean[i] += merged[i] / kSeeds;
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const double one = tasks.vectors[0][i], two = tasks.vectors[1][i];
    // Variance of one draw: v^2 p / (1 - p); five standard errors.
    const double error = std::sqrt((one * one + two * two) * 3 / kSeeds);
    EXPECT_NEAR(mean[i], one + two, 5 * error);
  }
}

TEST(Dare, DropsOrEnlargesAndIsTheSameForTheSameSeed) {
  int dropped = 0;
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Tasks tasks(std::vector<std::vector<float>>{random_values(20, trial)});
    const std::string rule = "dare:drop=0.5,seed=" + std::to_string(trial);
    const auto merged = tasks.by(rule);
    for (std::size_t i = 0; i < 20; ++i) {
      ASSERT_TRUE(merged[i] == 0 || merged[i] == 2 * tasks.delta[i]);
      dropped += merged[i] == 0;
    }
    ASSERT_EQ(tasks.by(rule), merged);
  }
  EXPECT_NEAR(dropped / 20000.0, 0.5, 0.02);
}

// What is dropped of a task stays dropped when another task comes.
TEST(Dare, AddsTasksWithoutDrawingTheEarlierOnesAgain) {
  const auto one = random_values(50, 1), two = random_values(50, 2);
  const auto alone = Tasks(std::vector<std::vector<float>>{one}).by("dare:drop=0.5");
  const auto both = Tasks({one, std::vector<float>(50)}).by("dare:drop=0.5");
  EXPECT_EQ(both, alone);
  EXPECT_NE(Tasks({std::vector<float>(50), one}).by("dare:drop=0.5"), alone);
}

// By hand, density 0.5 of four: each keeps its two largest. Left: [4 . . -3], [-1 . 2 .], [. 5 .
// -1]. Signs: 4 - 1 = 3 is +, so 4; 5; 2; -4 is -, so (-3 - 1) / 2.
TEST(Ties, ByHand) {
  const Tasks tasks({{4, 1, 1, -3}, {-1, 0.5f, 2, 0.25f}, {0.5f, 5, -0.5f, -1}});
  EXPECT_THAT(tasks.by("ties:density=0.5"), ElementsAre(4, 5, 2, -2));
  EXPECT_THAT(tasks.by("ties:density=0.5,scale=0.5"), ElementsAre(2, 2.5, 1, -1));
}

// Half of three is two; where the sum has no sign, nothing agrees with it.
TEST(Ties, RoundsTheShareUpAndElectsNoSignForASumOfZero) {
  EXPECT_THAT(Tasks(std::vector<std::vector<float>>{{3, 1, -2}}).by("ties:density=0.5"),
              ElementsAre(3, 0, -2));
  EXPECT_THAT(Tasks({{1, 2, 3}, {-1, 2, -5}}).by("ties:density=1"), ElementsAre(0, 2, -5));
}

// Untrimmed: every element has the sign of the sum, and is the mean of those that agree.
TEST(Ties, ElectsTheSignForAThousandRandomOnes) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Tasks tasks(random_vectors(trial));
    const auto merged = tasks.by("ties:density=1");
    for (std::size_t i = 0; i < 20; ++i) {
      double sum = 0, agreeing = 0, count = 0;
      for (const auto& vector : tasks.vectors) sum += vector[i];
      for (const auto& vector : tasks.vectors) {
        if (vector[i] * sum > 0) agreeing += vector[i], ++count;
      }
      ASSERT_GT(merged[i] * sum, 0);
      ASSERT_FLOAT_EQ(merged[i], static_cast<float>(agreeing / count));
    }
  }
}

TEST(Ties, TrimsToTheShareOfTheLargest) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Tasks tasks(std::vector<std::vector<float>>{random_values(20, trial)});
    const auto merged = tasks.by("ties");  // 0.2 of 20: four
    EXPECT_EQ(std::count_if(merged.begin(), merged.end(), [](float v) { return v != 0; }), 4);
    float least_kept = 2, most_dropped = 0;
    for (std::size_t i = 0; i < 20; ++i) {
      const float size = std::abs(tasks.delta[i]);
      if (merged[i] != 0) least_kept = std::min(least_kept, size);
      if (merged[i] == 0) most_dropped = std::max(most_dropped, size);
    }
    ASSERT_GE(least_kept, most_dropped);
  }
}

TEST(MagMax, ByHandAndForAThousandRandomOnes) {
  EXPECT_THAT(Tasks({{1, -5, 2}, {-3, 4, -2}}).by("magmax:scale=0.5"), ElementsAre(-1.5, -2.5, 1));
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Tasks tasks(random_vectors(trial));
    const auto merged = tasks.by("magmax");
    for (std::size_t i = 0; i < 20; ++i) {
      bool is_one = false;
      for (const auto& vector : tasks.vectors) {
        is_one |= merged[i] == vector[i];
        ASSERT_GE(std::abs(merged[i]), std::abs(vector[i]));
      }
      ASSERT_TRUE(is_one);
    }
  }
}

TEST(AllAtOnce, NeedATaskVectorForEachTask) {
  for (const char* const rule : {"task-arithmetic:scale=1", "dare:drop=0.5", "ties", "magmax"}) {
    const Tasks tasks({{1, 2}, {3, 4}});
    EXPECT_THAT([&] { merged_by(rule, tasks.input(2)); },
                ThrowsMessage<Error>(HasSubstr("2 task vectors; expected one for each")));
  }
}

TEST(Offered, RefusesWithTheReasonAndWhatToDo) {
  const auto refusal = [](std::string_view rule, const MergeNeeds& offered) -> std::string {
    try {
      check_offered(*make_merge_rule(rule), offered);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  for (const char* const rule : {"closed-form", "closed-form:by=direction", "became", "average",
                                 "ema:rate=0.5", "fixed:alpha=0", "first", "none"}) {
    EXPECT_EQ(refusal(rule, offered_in_training()), "") << rule;
  }
  for (const char* const rule : {"task-arithmetic:scale=1", "dare:drop=0.5", "ties"}) {
    EXPECT_THAT(refusal(rule, offered_in_training()),
                AllOf(HasSubstr("starts from the pretrained model, and this run's starts from the "
                                "merged model"),
                      HasSubstr("Train with --merge fixed:alpha=0")));
  }
  EXPECT_THAT(refusal("magmax", offered_in_training()),
              AllOf(HasSubstr("the last task's model"), HasSubstr("Train with --merge none")));

  const MergeNeeds sequential{.start = Origin::kLast,
                              .vectors = Origin::kPretrained,
                              .memory = RuleMemory::kAllTaskVectors};
  EXPECT_EQ(refusal("magmax", sequential), "");
  MergeNeeds other = sequential;
  other.vectors = Origin::kLast;
  EXPECT_THAT(refusal("magmax", other), HasSubstr("measured from the pretrained model"));
  other = sequential;
  other.memory = RuleMemory::kNothing;
  EXPECT_THAT(refusal("magmax", other), HasSubstr("task vectors of all tasks"));
  EXPECT_THAT(refusal("became", {}), HasSubstr("needs every task's Fisher"));
  EXPECT_THAT(refusal("closed-form:by=direction", {.fisher = true}), HasSubstr("factors A and B"));
}

}  // namespace
}  // namespace palimpsest
