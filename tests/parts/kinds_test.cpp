// Whatever kinds a part of the method has: what is asked of every one, a new one too.
#include "support/kinds.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "palimpsest/method/method.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

struct AnyPart {
  const KindTable& table;
  std::function<bool(std::string_view text)> makes;
};

template <typename Part>
AnyPart any(const PartTable<Part>& table) {
  return {table, [&table](std::string_view text) { return table.make(text) != nullptr; }};
}

class EveryPart : public testing::TestWithParam<AnyPart> {
 protected:
  const KindTable& table() const { return GetParam().table; }
};

TEST_P(EveryPart, MakesEachKindWithItsStandardSettings) {
  EXPECT_FALSE(table().noun.empty());
  EXPECT_FALSE(table().kinds.empty());
  for (const Kind& kind : table().kinds)
    EXPECT_TRUE(GetParam().makes(standard_text(kind))) << kind.name;
}

TEST_P(EveryPart, NamesNoTwoKindsAlike) {
  std::vector<std::string_view> names = kind_names(table());
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

TEST_P(EveryPart, ExplainsEachKindInASentenceAndEachKey) {
  std::string help = kinds_help(table(), 10'000);
  for (const Kind& kind : table().kinds) {
    EXPECT_FALSE(kind.help.empty()) << kind.name;
    EXPECT_TRUE(kind.help.ends_with('.')) << kind.name;
    EXPECT_THAT('\n' + help, HasSubstr(concat('\n', kind.name, ": ", kind.help)));
    for (const SettingSpec& key : kind.keys)
      EXPECT_THAT(help, HasSubstr(concat(" ", key.name, "=", allowed(key)))) << kind.name;
  }
}

TEST_P(EveryPart, ReadsEachKindBackFromItsText) {
  for (const Kind& kind : table().kinds) {
    const std::string text = standard_text(kind);
    EXPECT_EQ(parse_kind(table(), text).text(), text);
    for (const SettingSpec& key : kind.keys) {
      if (!key.default_value) continue;
      for (const std::string& value : some_values(key)) {
        const std::string given =
            concat(text, text.find(':') == std::string::npos ? ':' : ',', key.name, '=', value);
        const std::string kept = parse_kind(table(), given).text();
        EXPECT_EQ(parse_kind(table(), kept).text(), kept);
        EXPECT_EQ(kept.find(concat(key.name, '=', value)) == std::string::npos,
                  value == value_text(*key.default_value))
            << given;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OfAMethod, EveryPart,
                         testing::Values(any(adapters()), any(perturbations()), any(objectives()),
                                         any(head_kinds()), any(penalties()), any(curvatures()),
                                         any(merge_rules()), any(classifiers())),
                         [](const auto& part) {
                           std::string name(part.param.table.noun);
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

// tests/parts/<part>_<kind>_test.cpp; tests/merge has those of merge rules.
TEST(EveryKind, HasItsOwnTest) {
  for (const AnyPart& part :
       {any(adapters()), any(perturbations()), any(objectives()), any(head_kinds()),
        any(penalties()), any(curvatures()), any(classifiers())}) {
    for (const Kind& kind : part.table.kinds) {
      std::string file = concat(part.table.noun, '_', kind.name, "_test.cpp");
      std::ranges::replace(file, '-', '_');
      EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(PALIMPSEST_SOURCE_DIR) /
                                          "tests/parts" / file))
          << file;
    }
  }
}

}  // namespace
}  // namespace palimpsest
