// Options of programs: what is stored, what is refused, what --help and completion get.
#include "palimpsest/kinds/options.h"

#include <gmock/gmock.h>

#include <array>
#include <optional>

#include "palimpsest/core/error.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Colour { kRed, kGreen };
constexpr auto choices(Colour) { return std::array<std::string_view, 2>{"red", "green"}; }

struct Values {
  bool json = false;
  std::filesystem::path out;
  std::vector<std::filesystem::path> files;
  std::string split = "all";
  Colour colour = Colour::kRed;
  std::optional<std::int64_t> task;
  std::int64_t points = 21;
  double seconds = 60;
  std::vector<std::int64_t> sizes = {1, 2};
  std::string rule;
};

const KindTable& rules() {
  static const KindTable table{
      "rule",
      {{.name = "mean", .help = "All alike."},
       {.name = "ema",
        .help = "The newest more.",
        .keys = {{.name = "rate", .maximum = 1},
                 {.name = "by", .type = Type::kWord, .choices = {"all", "part"}}}}}};
  return table;
}

Options options(Values& v) {
  return {option("json", v.json, "one object"),
          option("out FILE", v.out, "where to write. It is made"),
          option("files FILE...", v.files, "to read"),
          option("split WORD", v.split, "which samples", {.choices = {"all", "test"}}),
          option("colour WORD", v.colour, "of the bar"),
          option("task K", v.task, "from 1", {.minimum = 1}),
          option("points N", v.points, "of a sweep", {.minimum = 2, .maximum = 100}),
          option("seconds S", v.seconds, "until it ends"),
          option("sizes 1,8", v.sizes, "of worlds", {.minimum = 1}),
          option("rule RULE", v.rule, "how to merge", {.kinds = &rules()})};
}

std::string refusal_of_words(const std::vector<std::string>& words) {
  Values values;
  try {
    take_options(options(values), words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Options, AreStoredAndTheOtherWordsStayInOrder) {
  Values v;
  const std::vector<std::string> words = {
      "run",        "--json",  "--out=a b.h5", "--files",   "x",     "y",      "--split",
      "test",       "--lr",    "0.1",          "--colour",  "green", "--task", "3",
      "--points=4", "--sizes", "8,64,512",     "--seconds", "0.5",   "--rule", "ema:rate=0.5"};
  EXPECT_THAT(take_options(options(v), words), ElementsAre("run", "--lr", "0.1"));
  EXPECT_TRUE(v.json);
  EXPECT_EQ(v.out, "a b.h5");
  EXPECT_THAT(v.files, ElementsAre("x", "y"));
  EXPECT_EQ(v.split, "test");
  EXPECT_EQ(v.colour, Colour::kGreen);
  EXPECT_EQ(v.task, 3);
  EXPECT_EQ(v.points, 4);
  EXPECT_EQ(v.seconds, 0.5);
  EXPECT_THAT(v.sizes, ElementsAre(8, 64, 512));
  EXPECT_EQ(v.rule, "ema:rate=0.5");
}

TEST(Options, KeepTheirDefaultsWhereNothingIsGiven) {
  Values v;
  EXPECT_THAT(take_options(options(v), std::vector<std::string>{}), ElementsAre());
  EXPECT_EQ(v.points, 21);
  EXPECT_EQ(v.task, std::nullopt);
  EXPECT_THAT(v.sizes, ElementsAre(1, 2));
}

TEST(Options, AValueThatIsMissingOrNotPossibleIsRefused) {
  EXPECT_EQ(refusal_of_words({"--out"}),
            "command line: the required argument for option '--out' is missing");
  EXPECT_EQ(refusal_of_words({"--out", "--json"}),
            "command line: expected a value of --out, found --json");
  EXPECT_EQ(refusal_of_words({"--out="}),
            "command line: expected a value of --out, found an empty one");
  EXPECT_EQ(refusal_of_words({"--json", "--json"}),
            "command line: 'json' is given twice; keep one");
  EXPECT_EQ(refusal_of_words({"--json=no"}),
            "command line: option '--json' does not take any arguments");
  EXPECT_THAT(refusal_of_words({"--split", "tset"}), HasSubstr("it takes all or test"));
  EXPECT_THAT(refusal_of_words({"--colour", "blue"}), HasSubstr("it takes red or green"));
  EXPECT_THAT(refusal_of_words({"--task", "0"}), HasSubstr("a whole number from 1 to"));
  EXPECT_THAT(refusal_of_words({"--points", "101"}), HasSubstr("a whole number from 2 to 100"));
  EXPECT_THAT(refusal_of_words({"--seconds", "-1"}), HasSubstr("a number from 0 to"));
  for (const char* const sizes : {"8,x", "0", "8,", ",8", "8;9"})
    EXPECT_THAT(refusal_of_words({"--sizes", sizes}), HasSubstr("it takes whole numbers from 1"))
        << sizes;
}

TEST(Options, HelpAlignsWhatTheyMean) {
  Values v;
  EXPECT_EQ(
      options_help({option("json", v.json, "one object"), option("out FILE", v.out, "where")}),
      "  --json       one object\n"
      "  --out FILE   where\n");
}

TEST(Options, CompletionKnowsHowAValueIsTyped) {
  Values v;
  EXPECT_EQ(completion_lines("tool", options(v)),
            "tool|--help|||what there is\n"
            "tool|--json|||one object\n"
            "tool|--out|path||where to write\n"
            "tool|--files|path||to read\n"
            "tool|--split|text|all test|which samples\n"
            "tool|--colour|text|red green|of the bar\n"
            "tool|--task|text||from 1\n"
            "tool|--points|text||of a sweep\n"
            "tool|--seconds|text||until it ends\n"
            "tool|--sizes|text||of worlds\n"
            "tool|--rule|kind|mean ema ema:rate= ema:by=all ema:by=part|how to merge\n");
}

}  // namespace
}  // namespace palimpsest
