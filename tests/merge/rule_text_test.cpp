// Every merge rule as text.
#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(std::string_view text) {
  try {
    make_merge_rule(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(RuleText, IsKeptInItsShortestForm) {
  const auto kept = [](std::string_view text) { return make_merge_rule(text)->settings().text(); };
  EXPECT_EQ(kept("closed-form"), "closed-form");
  EXPECT_EQ(kept("closed-form:by=global,shrink=0"), "closed-form");
  EXPECT_EQ(kept("closed-form:shrink=0.10,by=module"), "closed-form:by=module,shrink=0.1");
  EXPECT_EQ(kept("ema:rate=1e-3"), "ema:rate=0.001");
  EXPECT_EQ(kept("dare:seed=1,drop=0.9"), "dare:drop=0.9");
}

TEST(RuleText, SaysWhatIsWrongAndWhatIsExpected) {
  EXPECT_THAT(refusal("closed-from"), HasSubstr("did you mean 'closed-form'?"));
  EXPECT_THAT(refusal("xyz"), AllOf(HasSubstr("'xyz' is not known"), HasSubstr("magmax")));
  EXPECT_THAT(refusal(""), HasSubstr("'' is not known"));
  EXPECT_THAT(refusal("closed-form:shrnk=1"), HasSubstr("did you mean 'shrink'?"));
  EXPECT_THAT(refusal("closed-form:zzz=1"), HasSubstr("its keys are by or shrink"));
  EXPECT_THAT(refusal("average:alpha=1"), HasSubstr("it has no keys"));
  EXPECT_THAT(refusal("closed-form:by=modul"),
              HasSubstr("global, module, direction or coordinate"));
  EXPECT_THAT(refusal("closed-form:by=module,by=module"), HasSubstr("by is given twice"));
  EXPECT_THAT(refusal("closed-form:by"), HasSubstr("expected key=value, found 'by'"));
  EXPECT_THAT(refusal("closed-form:by=module,"), HasSubstr("found ''"));
  EXPECT_THAT(refusal("closed-form:"), HasSubstr("expected key=value, found ''"));
  EXPECT_THAT(refusal("ema"), HasSubstr("needs rate, a number from 0 to 1: ema:rate=0.5"));
  for (const char* const value : {"", "-0.1", "1.5", "nan", "inf", "0.5x", " 0.5"}) {
    EXPECT_THAT(refusal(std::string("ema:rate=") + value), HasSubstr("a number from 0 to 1"));
  }
  EXPECT_THAT(refusal("closed-form:by=module,shrink=-1"), HasSubstr("a number, 0 or more"));
  EXPECT_THAT(refusal("dare:drop=1"), HasSubstr("from 0 to below 1"));
  EXPECT_THAT(refusal("dare:drop=0.5,seed=1.5"), HasSubstr("a whole number"));
  EXPECT_THAT(refusal("ties:density=0"), HasSubstr("above 0, at most 1"));
}

TEST(RuleText, HelpNamesEveryRuleAndKey) {
  const std::string help = kinds_help(merge_rules(), 70);
  for (const std::string_view name : kind_names(merge_rules())) {
    EXPECT_THAT("\n" + help, HasSubstr("\n" + std::string(name) + ": "));
  }
  std::string unwrapped;
  for (const char letter : help) unwrapped += letter == '\n' ? ' ' : letter;
  for (const char* const key : {" by=", " shrink=", " rate=", " density=", " drop="}) {
    EXPECT_THAT(unwrapped, HasSubstr(key));
  }
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 70u) << line;
}

// Whatever is accepted means the same again.
TEST(RuleText, ParsesBackToItself) {
  for (const char* const text :
       {"closed-form:by=direction,shrink=0.125", "became", "average", "ema:rate=0.3",
        "fixed:alpha=0", "first", "none", "task-arithmetic:scale=0.3", "dare:drop=0.5,seed=7",
        "ties:density=0.5,scale=2", "magmax"}) {
    EXPECT_EQ(make_merge_rule(text)->settings().text(), text);
  }
}

}  // namespace
}  // namespace palimpsest
