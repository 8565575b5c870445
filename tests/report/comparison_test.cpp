// Runs are pooled over seeds and class orders alone, and paired where they share both.
#include "palimpsest/report/comparison.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "small_run.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ComparisonTest : public RunsTest {
 protected:
  // With this many of 10 right on both tasks in the end.
  static SmallRun run_with(std::uint64_t seed, std::int64_t right,
                           const char* merge = "closed-form") {
    return {.seed = seed,
            .config = std::string(R"({"seed":)") + std::to_string(seed) +
                      R"(,"adapter":"lora","merge":")" + merge + R"("})",
            .correct = {{9}, {right, right}}};
  }
};

TEST_F(ComparisonTest, GroupsBySettingsAndPairsBySeed) {
  const RunComparison comparison =
      compare_runs({make("a1", run_with(1, 4)), make("a2", run_with(2, 6)),
                    make("b1", run_with(1, 5, "average")), make("b2", run_with(2, 8, "average")),
                    make("b3", run_with(3, 9, "average"))});
  ASSERT_EQ(comparison.groups.size(), 2u);
  EXPECT_EQ(comparison.groups[0].description, "merge closed-form");
  EXPECT_EQ(comparison.groups[1].description, "merge average");
  const Spread last = comparison.groups[0].spreads.at("last");
  EXPECT_DOUBLE_EQ(last.mean, 0.5);
  EXPECT_DOUBLE_EQ(last.deviation.value(), std::sqrt(0.02));
  EXPECT_EQ(comparison.groups[1].runs.size(), 3u);
  ASSERT_EQ(comparison.differences.size(), 1u);
  const Spread difference = comparison.differences[0].spreads.at("last");  // 0.1 and 0.2
  EXPECT_EQ(comparison.differences[0].pairs, 2u);
  EXPECT_NEAR(difference.mean, 0.15, 1e-12);
  EXPECT_NEAR(difference.deviation.value(), std::sqrt(0.005), 1e-12);
  EXPECT_THAT(
      comparison_text(comparison),
      AllOf(HasSubstr("50.0 ± 14.1"), HasSubstr("B - A (n = 2)"), HasSubstr("+15.0 ± 7.1")));
}

TEST_F(ComparisonTest, AnotherClassOrderIsOfTheSameGroupAndOfNoPair) {
  SmallRun other = run_with(1, 5, "average"), turned = run_with(1, 6);
  std::swap(turned.classes[0], turned.classes[1]);
  const RunComparison comparison =
      compare_runs({make("a", run_with(1, 4)), make("turned", turned), make("b", other)});
  ASSERT_EQ(comparison.groups.size(), 2u);
  EXPECT_EQ(comparison.groups[0].runs.size(), 2u);
  ASSERT_EQ(comparison.differences.size(), 1u);
  EXPECT_EQ(comparison.differences[0].pairs, 1u);
}

TEST_F(ComparisonTest, FewerTasksAreAnotherGroup) {
  SmallRun begun = run_with(2, 4);
  begun.correct.pop_back();
  const RunComparison comparison = compare_runs({make("a", run_with(1, 4)), make("begun", begun)});
  ASSERT_EQ(comparison.groups.size(), 2u);
  EXPECT_EQ(comparison.groups[1].description, "tasks 1 of 2 classes");
}

TEST_F(ComparisonTest, ASettingThatAnEarlierVersionDidNotKnowHasItsDefault) {
  SmallRun later = run_with(2, 6), other = run_with(1, 6);
  later.config.insert(1, R"("validation":0.0,"schedule":"cosine:warmup=0",)");
  other.config.insert(1, R"("validation":0.5,)");
  const auto early = make("early", run_with(1, 4));
  EXPECT_EQ(compare_runs({early, make("later", later)}).groups.size(), 1u);
  const RunComparison comparison = compare_runs({early, make("other", other)});
  ASSERT_EQ(comparison.groups.size(), 2u);
  EXPECT_EQ(comparison.groups[0].description, "validation 0");
}

TEST_F(ComparisonTest, RefusesWhatWouldCountTwiceAndWhatHasNoTask) {
  const auto a = make("a", run_with(1, 4)), b = make("b", run_with(1, 4));
  EXPECT_THROW(compare_runs({a, b}), UsageError);
  EXPECT_THROW(compare_runs({make("begun", {.correct = {}})}), InputError);
}

TEST_F(ComparisonTest, SaysTheSameToProgramsSpreadsheetsAndReaders) {
  const RunComparison comparison =
      compare_runs({make("a,1", run_with(1, 4)), make("b\"<1>", run_with(1, 6, "average"))});
  const auto parsed = nlohmann::json::parse(comparison_json(comparison));
  EXPECT_DOUBLE_EQ(parsed["groups"][1]["spreads"]["last"]["mean"], 0.6);
  EXPECT_TRUE(parsed["groups"][1]["spreads"]["last"]["deviation"].is_null());
  EXPECT_NEAR(parsed["differences"][0]["spreads"]["last"]["mean"], 0.2, 1e-12);
  EXPECT_THAT(comparison_csv(comparison),
              AllOf(HasSubstr("group,run,seed,class_order,last,"), HasSubstr("a,1\",1,"),
                    HasSubstr("b\"\"<1>\",1,"), HasSubstr(",0.600000,")));
  EXPECT_THAT(comparison_page(comparison),
              AllOf(HasSubstr("b&quot;&lt;1&gt;"), HasSubstr("<td class=\"r\">+20.0</td>"),
                    HasSubstr("no number is published for these tasks")));
}

}  // namespace
}  // namespace palimpsest
