#include "../../src/format/json_fields.h"
#include "fixtures.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text) {
  return error_message<InputError>([&] { parse_json(text, "a.json"); });
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') +
         std::string(static_cast<std::size_t>(levels), ']');
}

TEST(StrictJsonTest, ReadsJson) {
  EXPECT_EQ(parse_json(R"({"a": [1, 2.5, "b"], "c": {"a": null}})", "a.json").at("a").at(1), 2.5);
  EXPECT_TRUE(parse_json(nested(60), "a.json").is_array());
}

TEST(StrictJsonTest, RefusesWhatIsNotJson) {
  EXPECT_EQ(refusal("{\"a\": }"),
            "a.json: expected JSON, found a syntax error at byte 7: the file is damaged, or of "
            "another kind.");
}

TEST(StrictJsonTest, RefusesANameThatIsTwiceInOneObject) {
  EXPECT_EQ(refusal(R"({"a": 1, "b": {"a": 2}, "a": 3})"),
            "a.json: the name \"a\" is given twice.");
}

TEST(StrictJsonTest, RefusesNumbersOutsideTheRangeOfDouble) {
  EXPECT_THAT(refusal("[1e999]"), HasSubstr("found a larger one"));
}

TEST(StrictJsonTest, RefusesDepthThatNoFileHas) {
  EXPECT_THAT(refusal(nested(100'000)), HasSubstr("at most 64 levels"));
}

}  // namespace
}  // namespace palimpsest
