// Pictures put their marks where the numbers are.
#include "../../src/report/chart.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <random>

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Chart, TicksAreRoundAndInside) {
  EXPECT_THAT(ticks(0, 1, 5), ElementsAre(0, 0.2, 0.4, 0.6000000000000001, 0.8, 1));
  EXPECT_THAT(ticks(3, 47, 5), ElementsAre(10, 20, 30, 40));
  EXPECT_THAT(ticks(-1, 1, 4), ElementsAre(-1, -0.5, 0, 0.5, 1));
  EXPECT_THAT(ticks(2, 2, 5), ElementsAre(2));
}

TEST(Chart, AThousandRangesHaveFewTicksInside) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> exponent(-8, 8), sign(-1, 1);
  for (int round = 0; round < 1000; ++round) {
    const double least = sign(random) * std::pow(10, exponent(random));
    const double most = least + std::pow(10, exponent(random));
    const std::vector<double> at = ticks(least, most, 5);
    const double slack = 1e-6 * (most - least);
    ASSERT_LE(at.size(), 7u) << least << " to " << most;
    for (const double tick : at) {
      EXPECT_GE(tick, least - slack);
      EXPECT_LE(tick, most + slack);
    }
  }
}

// The plane goes from x 46 to 390 and from y 196 up to 18.
TEST(Chart, ALineGoesThroughItsPoints) {
  const Series series{.name = "a", .points = {{1, 0}, {2, 0.5}, {3, 1}}};
  const std::string drawing = line_chart({.title = "t", .x = "task", .y = "%"}, {series}).str();
  EXPECT_THAT(drawing, HasSubstr("points=\"46.0,196.0 218.0,107.0 390.0,18.0 \""));
  EXPECT_THAT(drawing, HasSubstr("<title>a, task 2: 0.5</title>"));
  EXPECT_THAT(drawing, HasSubstr("<title>t</title>"));
  EXPECT_THAT(drawing, Not(HasSubstr("legend")));  // of a single line
}

TEST(Chart, ALogarithmicAxisHasEqualStepsForEqualFactors) {
  const Series series{.name = "a", .points = {{0, 1}, {1, 10}, {2, 100}, {3, 0}}};
  const std::string drawing =
      line_chart({.title = "t", .x = "x", .y = "y", .logarithmic = true}, {series}).str();
  EXPECT_THAT(drawing, HasSubstr("points=\"46.0,196.0 218.0,107.0 390.0,18.0 \""));
}

TEST(Chart, NoPictureHasANumberThatIsNone) {
  std::mt19937 random(1);
  const double odd[] = {std::nan(""), INFINITY, -INFINITY, 0, -1, 1e-300, 1e300, 5};
  for (int round = 0; round < 1000; ++round) {
    Series series{.name = "a"};
    Bars bars{.name = "b", .values = {}};
    std::vector<std::string> names;
    for (int i = 0; i < static_cast<int>(random() % 4); ++i) {
      series.points.push_back({static_cast<double>(i), odd[random() % 8]});
      series.band.emplace_back(odd[random() % 8], odd[random() % 8]);
      bars.values.emplace_back(odd[random() % 8]);
      names.push_back(std::to_string(i));
    }
    const Axes axes{.title = "t", .x = "x", .y = "y", .logarithmic = random() % 2 == 0};
    const std::string drawing =
        line_chart(axes, {series}).str() + bar_chart(axes, names, {bars}).str();
    ASSERT_EQ(drawing.find("=\"nan"), std::string::npos) << drawing;
    ASSERT_EQ(drawing.find("nan,"), std::string::npos) << drawing;
    ASSERT_EQ(drawing.find("inf\""), std::string::npos) << drawing;
    ASSERT_EQ(drawing.find(",-inf"), std::string::npos) << drawing;
  }
}

// Zero is where the bars meet: half the height for values from -1 to 1.
TEST(Chart, BarsGoUpAndDownFromZero) {
  const std::string drawing =
      bar_chart({.title = "t", .x = "task", .y = "points"}, {"1", "2"},
                {{.name = "lost", .values = {1, -1}}, {.name = "later", .values = {{}, 0.5}}})
          .str();
  EXPECT_THAT(drawing, HasSubstr("y=\"18.0\" width=\"16.2\" height=\"89.0\" class=\"f0\""));
  EXPECT_THAT(drawing, HasSubstr("y=\"107.0\" width=\"16.2\" height=\"89.0\" class=\"f0\""));
  EXPECT_THAT(drawing, HasSubstr("height=\"44.5\" class=\"f1\""));
  EXPECT_THAT(drawing, Not(HasSubstr("later, task 1")));
}

TEST(Chart, PartsFollowOneAnother) {
  const std::string drawing =
      share_bars({.title = "t", .x = "task", .y = "%"}, {"1"},
                 {{.name = "right", .values = {0.75}}, {.name = "wrong", .values = {0.25}}})
          .str();
  EXPECT_THAT(drawing, HasSubstr("x=\"46.0\" y=\"16.0\" width=\"253.5\""));
  EXPECT_THAT(drawing, HasSubstr("x=\"299.5\" y=\"16.0\" width=\"84.5\""));
}

TEST(Chart, AHeatMapShadesFromLeastToMost) {
  const std::string drawing = heat_map({.title = "t",
                                        .row_label = "after",
                                        .column_label = "on task",
                                        .columns = {"1", "2"},
                                        .rows = {"1", "2"},
                                        .cells = {{0.9}, {0.5, 0.7}},
                                        .least = 0.5,
                                        .most = 0.9})
                                  .str();
  EXPECT_THAT(drawing, HasSubstr("fill-opacity=\"1.00\"><title>after 1, on task 1: 90.0 %"));
  EXPECT_THAT(drawing, HasSubstr("fill-opacity=\"0.06\"><title>after 2, on task 1: 50.0 %"));
  EXPECT_THAT(drawing, HasSubstr("fill-opacity=\"0.53\"><title>after 2, on task 2: 70.0 %"));
}

}  // namespace
}  // namespace palimpsest
