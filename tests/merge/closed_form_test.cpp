#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/merge/task_vector.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

RuleOutput decide(const MergeRule& rule, const MergeInput& input) {
  std::vector<float> result(input.merged.size());
  return rule.merge(input, result);
}

std::vector<float> draw(std::size_t size, std::uint64_t index, double bound,
                        bool positive = false) {
  std::vector<float> values(size);
  fill_uniform(values, bound, RandomStream(11, Purpose::kTest, 0, index));
  if (positive) {
    for (float& value : values) value = std::abs(value);
  }
  return values;
}

const AdaptedLayout& two_modules() {
  static const AdaptedLayout layout(
      {{.name = "a", .out = 10, .in = 20}, {.name = "b", .out = 30, .in = 10}});
  return layout;
}

// docs/how-it-works.md, "Stage 2": the double sum over all tasks, as the paper writes it.
TEST(ClosedForm, EqualsTheDirectDoubleSumOverEightTasks) {
  const std::size_t size = static_cast<std::size_t>(two_modules().size());
  CurvatureMemory memory(size);
  std::vector<std::vector<float>> fishers, optima;
  std::vector<float> merged(size);
  const auto rule = make_merge_rule("closed-form");
  for (std::size_t t = 0; t < 8; ++t) {
    const std::vector<float> delta = draw(size, 2 * t, 0.01);
    fishers.push_back(draw(size, 2 * t + 1, std::pow(10.0, -static_cast<double>(t)), true));
    std::vector<float> optimum = merged;
    add_scaled(optimum, 1, delta);
    optima.push_back(optimum);
    memory.add(fishers.back(), optimum);
    const RuleOutput output = decide(*rule, {.task = static_cast<std::int64_t>(t),
                                             .merged = merged,
                                             .task_vector = delta,
                                             .layout = two_modules(),
                                             .memory = memory});

    long double numerator = 0, denominator = 0;
    for (std::size_t i = 0; i <= t; ++i) {
      for (std::size_t k = 0; k < size; ++k) {
        const long double f = fishers[i][k], d = delta[k];
        numerator -= (static_cast<long double>(merged[k]) - optima[i][k]) * f * d;
        denominator += f * d * d;
      }
    }
    EXPECT_NEAR(output.terms->numerator, static_cast<double>(numerator),
                1e-12 * std::abs(static_cast<double>(numerator)));
    EXPECT_NEAR(output.terms->denominator, static_cast<double>(denominator),
                1e-12 * static_cast<double>(denominator));
    if (t > 0) {
      EXPECT_NEAR(*output.alpha_unclamped, static_cast<double>(numerator / denominator),
                  1e-12 * std::abs(static_cast<double>(numerator / denominator)));
    }
    add_scaled(merged, output.coefficients.front(), delta);
  }
}

// The rule's defining property: no other alpha gives a lower sum of quadratics.
TEST(ClosedForm, MinimisesItsQuadraticForAThousandRandomStreams) {
  const AdaptedLayout layout({{.name = "a", .out = 2, .in = 3}});
  const auto rule = make_merge_rule("closed-form");
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const std::vector<float> merged = draw(6, 1000 + 5 * trial, 1),
                             delta = draw(6, 1001 + 5 * trial, 1);
    const std::vector<float> f_old = draw(6, 1002 + 5 * trial, 1, true),
                             f_new = draw(6, 1003 + 5 * trial, 1, true);
    const std::vector<float> theta_old = draw(6, 1004 + 5 * trial, 1);
    std::vector<float> theta_new = merged;
    add_scaled(theta_new, 1, delta);
    CurvatureMemory memory(6);
    memory.add(f_old, theta_old);
    memory.add(f_new, theta_new);
    const double alpha =
        decide(
            *rule,
            {.task = 1, .merged = merged, .task_vector = delta, .layout = layout, .memory = memory})
            .coefficients.front();
    ASSERT_GE(alpha, 0);
    ASSERT_LE(alpha, 1);
    const auto quadratic = [&](double a) {
      double q = 0;
      for (std::size_t k = 0; k < 6; ++k) {
        const double theta = merged[k] + a * delta[k];
        q += 0.5 * f_old[k] * std::pow(theta - theta_old[k], 2) +
             0.5 * f_new[k] * std::pow(theta - theta_new[k], 2);
      }
      return q;
    };
    for (const double other :
         {0.0, 1.0, std::max(0.0, alpha - 1e-3), std::min(1.0, alpha + 1e-3)}) {
      ASSERT_LE(quadratic(alpha), quadratic(other) + 1e-12)
          << "trial " << trial << ", alpha " << alpha << " against " << other;
    }
  }
}

// By hand: F = 1 for both tasks, theta_1* = 1, merged = 1, Delta = 2, theta_2* = 3. Minimum at the
// middle: theta = 2, alpha = 1/2.
TEST(ClosedForm, TakesTheMiddleBetweenTwoEquallySharpOptima) {
  const AdaptedLayout layout({{.name = "a", .out = 1, .in = 1}});
  CurvatureMemory memory(1);
  memory.add(std::vector<float>{1}, std::vector<float>{1});
  memory.add(std::vector<float>{1}, std::vector<float>{3});
  const std::vector<float> merged{1}, delta{2};
  const RuleOutput output = decide(
      *make_merge_rule("closed-form"),
      {.task = 1, .merged = merged, .task_vector = delta, .layout = layout, .memory = memory});
  EXPECT_DOUBLE_EQ(output.coefficients.front(), 0.5);
  EXPECT_DOUBLE_EQ(output.terms->numerator, 4);
  EXPECT_DOUBLE_EQ(output.terms->denominator, 8);
}

TEST(ClosedForm, AlphaOfTheFirstTaskIsOne) {
  const AdaptedLayout layout({{.name = "a", .out = 1, .in = 1}});
  CurvatureMemory memory(1);
  const std::vector<float> merged{0}, delta{2};
  EXPECT_EQ(
      decide(
          *make_merge_rule("closed-form"),
          {.task = 0, .merged = merged, .task_vector = delta, .layout = layout, .memory = memory})
          .coefficients.front(),
      1);
}

TEST(ClosedForm, AZeroDenominatorIsAnErrorNeverANumber) {
  const AdaptedLayout layout({{.name = "a", .out = 1, .in = 1}});
  const CurvatureMemory memory(1);
  const std::vector<float> merged{0}, delta{2};
  const auto rule = make_merge_rule("closed-form");
  EXPECT_THAT(
      [&] {
        (void)decide(*rule, {.task = 3,
                             .merged = merged,
                             .task_vector = delta,
                             .layout = layout,
                             .memory = memory});
      },
      ThrowsMessage<Error>(testing::AllOf(HasSubstr("task 4"), HasSubstr("positive denominator"))));
}

TEST(CurvatureMemory, RefusesWhatIsNotFiniteAndStaysAsItWas) {
  CurvatureMemory memory(2);
  memory.add(std::vector<float>{1, 2}, std::vector<float>{3, 4});
  for (const float bad : {-1.0f, std::nanf(""), INFINITY}) {
    EXPECT_THAT(
        [&] {
          memory.add(std::vector<float>{1, bad}, std::vector<float>{0, 0});
        },
        ThrowsMessage<Error>(HasSubstr("element 1")));
  }
  EXPECT_THAT([&] { memory.add(std::vector<float>{1}, std::vector<float>{0}); },
              ThrowsMessage<Error>(HasSubstr("expected 2")));
  EXPECT_THAT(memory.s0(), testing::ElementsAre(1, 2));
  EXPECT_THAT(memory.s1(), testing::ElementsAre(3, 8));
}

// More elements than interleaved sums, and not a multiple of them.
TEST(CurvatureMemory, MassIsTheDenominatorAlongTheDirection) {
  CurvatureMemory memory(19);
  const std::vector<float> fisher = draw(19, 1, 1, true), theta = draw(19, 2, 1),
                           direction = draw(19, 3, 1), merged = draw(19, 4, 1);
  memory.add(fisher, theta, 2);
  double mass = 0, numerator = 0;
  for (std::size_t i = 0; i < 19; ++i) {
    mass += 2.0 * fisher[i] * direction[i] * direction[i];
    numerator -= 2.0 * fisher[i] * (static_cast<double>(merged[i]) - theta[i]) * direction[i];
  }
  EXPECT_NEAR(memory.mass(direction), mass, 1e-14 * mass);
  EXPECT_NEAR(memory.slope(merged, direction), numerator, 1e-13);
  EXPECT_NEAR(quadratic_form(fisher, direction), mass / 2, 1e-14 * mass);
}

TEST(MergeRules, AverageIsOneOverTAndNoneTakesAll) {
  const AdaptedLayout layout({{.name = "a", .out = 1, .in = 1}});
  const CurvatureMemory memory(0);
  const std::vector<float> merged{0}, delta{2};
  for (std::int64_t task = 0; task < 5; ++task) {
    const MergeInput input{
        .task = task, .merged = merged, .task_vector = delta, .layout = layout, .memory = memory};
    EXPECT_DOUBLE_EQ(decide(*make_merge_rule("average"), input).coefficients.front(),
                     1.0 / static_cast<double>(task + 1));
    EXPECT_EQ(decide(*make_merge_rule("none"), input).coefficients.front(), 1);
  }
  EXPECT_THAT([] { make_merge_rule("avrage"); },
              ThrowsMessage<UsageError>(HasSubstr("did you mean 'average'?")));
}

TEST(MergeRemark, SaysWhenTheTaskOrThePastIsDiscarded) {
  const auto remark = [](double unclamped) {
    RuleOutput output;
    output.alpha_unclamped = unclamped;
    output.coefficients = {std::clamp(unclamped, 0.0, 1.0)};
    return merge_remark(2, output, 1e-9, 0.5);
  };
  EXPECT_THAT(remark(-0.3),
              testing::AllOf(HasSubstr("discards task 3"), HasSubstr("clamped from -0.3"),
                             HasSubstr("0.5"), HasSubstr("1e-09")));
  EXPECT_THAT(remark(0.01),
              testing::AllOf(HasSubstr("discards task 3"), testing::Not(HasSubstr("clamped"))));
  EXPECT_EQ(remark(0.4), "");
  EXPECT_THAT(remark(1.5), HasSubstr("takes all of task 3 (alpha clamped to 1 from 1.5)"));
}

TEST(FisherScale, TraceNormalisesAndSecantMeetsTheMeasuredRise) {
  const std::vector<float> fisher{1, 3}, delta{2, 1};
  const double mass = quadratic_form(fisher, delta);
  EXPECT_DOUBLE_EQ(mass, 7);
  EXPECT_DOUBLE_EQ(fisher_factor(FisherScale::kNone, 4, mass, 5).factor, 1);
  EXPECT_DOUBLE_EQ(fisher_factor(FisherScale::kTrace, 4, mass, 5).factor, 0.25);
  const double factor = fisher_factor(FisherScale::kSecant, 4, mass, 0.7).factor;
  EXPECT_DOUBLE_EQ(0.5 * factor * mass, 0.7);
}

TEST(FisherScale, KeepsTheFisherAndSaysWhyWhereThereIsNoRise) {
  for (const auto& result : {fisher_factor(FisherScale::kSecant, 4, 7, -0.1),
                             fisher_factor(FisherScale::kSecant, 0, 0, 0.1),
                             fisher_factor(FisherScale::kTrace, 0, 0, 0.1)}) {
    EXPECT_EQ(result.factor, 1);
    EXPECT_THAT(result.remark, HasSubstr("kept as it is"));
  }
}

// B A with s = 2, by hand; sums over the rank are exact in double where float would lose the small
// term.
TEST(TaskVector, IsTheScaledProductRoundedOnce) {
  const std::vector<float> a{1, 2, 3, 4}, b{1, 10, 0.5f, -1};  // [2, 2] and [2, 2]
  std::vector<float> delta(4);
  task_vector(a, b, 2, 2, 2, 2.0, delta);
  EXPECT_THAT(delta, testing::ElementsAre(62, 84, -5, -6));

  const std::vector<float> large{1e8f, 1, -1e8f}, ones{1, 1, 1};
  std::vector<float> sum(1);
  task_vector(large, ones, 3, 1, 1, 1.0, sum);
  EXPECT_EQ(sum[0], 1);
  EXPECT_THROW(task_vector(large, ones, 2, 1, 1, 1.0, sum), Error);
}

}  // namespace
}  // namespace palimpsest
