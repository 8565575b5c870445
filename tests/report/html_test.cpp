// No text, whatever its bytes, becomes markup.
#include "../../src/report/html.h"

#include <gmock/gmock.h>

#include <random>

namespace palimpsest {
namespace {

using testing::HasSubstr;

TEST(Html, TextIsEscaped) {
  EXPECT_EQ(escaped("<b> & \"it's\"").str(), "&lt;b&gt; &amp; &quot;it&#39;s&quot;");
  EXPECT_EQ(escaped("naïve 猫 \U0001F600\n").str(), "naïve 猫 \U0001F600\n");
  EXPECT_EQ(escaped("").str(), "");
}

TEST(Html, BytesThatAreNotUtf8AndControlCharactersAreReplaced) {
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(escaped("a\x80z").str(), "a" + replaced + "z");   // a continuation byte alone
  EXPECT_EQ(escaped("\xc0\xaf").str(), replaced + replaced);  // '/' in two bytes
  EXPECT_EQ(escaped("\xe2\x82").str(), replaced + replaced);  // cut short
  EXPECT_EQ(escaped("\xed\xa0\x80").str(), replaced + replaced + replaced);  // a surrogate
  EXPECT_EQ(escaped(std::string("\x1b[0m\0", 5)).str(), replaced + "[0m" + replaced);
}

TEST(Html, AThousandRandomTextsStayText) {
  std::mt19937 random(1);
  const std::string often = "<>&\"'\x80\xc3\xa9\xe2\x82\xac";
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) {
      const auto byte = random();
      text += byte % 3 == 0 ? static_cast<char>(byte >> 8) : often[byte / 3 % often.size()];
    }
    const std::string markup = escaped(text).str();
    EXPECT_EQ(markup.find_first_of("<>\"'"), std::string::npos);
    for (std::size_t at = markup.find('&'); at != std::string::npos; at = markup.find('&', at + 1))
      EXPECT_LT(markup.find(';', at), at + 7);
  }
}

TEST(Html, ElementsContainElementsAndAttributesAreEscaped) {
  EXPECT_EQ(element("p", {{"class", "\"><script>"}}, escaped("a<b") + element("i", {})).str(),
            "<p class=\"&quot;&gt;&lt;script&gt;\">a&lt;b<i></i></p>");
}

TEST(Html, ATableHasItsCells) {
  const std::string table = html_table({"name", "n"}, {{"<x>", "1"}, {"y", "22"}}, "lr").str();
  EXPECT_THAT(table, HasSubstr("<th class=\"l\">name</th><th class=\"r\">n</th>"));
  EXPECT_THAT(table, HasSubstr("<td class=\"l\">&lt;x&gt;</td><td class=\"r\">1</td>"));
}

}  // namespace
}  // namespace palimpsest
