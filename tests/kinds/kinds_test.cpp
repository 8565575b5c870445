// The text of a kind, NAME[:key=value,...], against a table of a part that has every type of key.
#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct Shape {
  explicit Shape(KindSettings chosen) : settings(std::move(chosen)) {}
  virtual ~Shape() = default;
  KindSettings settings;
};

struct Point : Shape {
  using Shape::Shape;
};

struct Polygon : Shape {
  explicit Polygon(KindSettings chosen) : Shape(std::move(chosen)) {
    if (settings.words("labels").size() > settings.number("corners")) {
      throw UsageError("more labels than corners");
    }
  }
};

const PartTable<Shape>& shapes() {
  static const PartTable<Shape> table(
      "simple shape", {{.name = "point", .help = "No extent.", .make = make_kind<Point>},
                       {.name = "circle",
                        .help = "Round.",
                        .keys = {{.name = "radius",
                                  .type = Type::kWhole,
                                  .default_value = std::nullopt,
                                  .minimum = 1,
                                  .maximum = 9}},
                        .make = make_kind<Point>},
                       {.name = "polygon",
                        .help = "Straight sides.",
                        .keys = {{.name = "corners",
                                  .type = Type::kWhole,
                                  .default_value = std::nullopt,
                                  .minimum = 3,
                                  .maximum = 9,
                                  .help = "How many."},
                                 {.name = "fill",
                                  .type = Type::kWord,
                                  .default_value = std::string("none"),
                                  .choices = {"none", "dots"},
                                  .effect = Effect::kOperational},
                                 {.name = "labels",
                                  .type = Type::kWords,
                                  .default_value = std::vector<std::string>{"a", "b"}},
                                 {.name = "sides",
                                  .type = Type::kWords,
                                  .default_value = std::vector<std::string>{"left"},
                                  .choices = {"left", "right", "top"}}},
                        .make = make_kind<Polygon>}});
  return table;
}

std::string refusal(std::string_view text) {
  try {
    shapes().make(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Kinds, AreMadeWithEveryKeyStandardOrGiven) {
  EXPECT_NE(dynamic_cast<const Point*>(shapes().make("point").get()), nullptr);
  const KindSettings settings =
      shapes().make("polygon:sides=top+left,corners=4,labels=x+y+z")->settings;
  EXPECT_EQ(settings.name(), "polygon");
  EXPECT_EQ(settings.number("corners"), 4);
  EXPECT_EQ(settings.whole("corners"), 4);
  EXPECT_EQ(settings.word("fill"), "none");
  EXPECT_THAT(settings.words("labels"), ElementsAre("x", "y", "z"));
  EXPECT_THAT(settings.words("sides"), ElementsAre("top", "left"));
  EXPECT_THROW(settings.number("fill"), Error);
  EXPECT_THROW(settings.word("corners"), Error);
  EXPECT_THROW(settings.words("fill"), Error);
  EXPECT_THROW(settings.word("colour"), Error);
}

TEST(Kinds, ShortestTextParsesBackToTheSame) {
  const auto kept = [](std::string_view text) { return shapes().make(text)->settings.text(); };
  EXPECT_EQ(kept("point"), "point");
  EXPECT_EQ(kept("polygon:fill=none,labels=a+b,corners=3.0"), "polygon:corners=3");
  EXPECT_EQ(kept("polygon:sides=right+top,fill=dots,corners=5"),
            "polygon:corners=5,fill=dots,sides=right+top");
  EXPECT_EQ(kept("polygon:corners=5,fill=dots,sides=right+top"),
            "polygon:corners=5,fill=dots,sides=right+top");
}

TEST(Kinds, FullTextHasEveryKeyOrAllThatCount) {
  const KindSettings settings = shapes().make("polygon:corners=5,fill=dots")->settings;
  EXPECT_EQ(settings.full_text(), "polygon:corners=5,fill=dots,labels=a+b,sides=left");
  EXPECT_EQ(settings.full_text(KindSettings::Keys::kAllButOperational),
            "polygon:corners=5,labels=a+b,sides=left");
  EXPECT_EQ(shapes().make(settings.full_text())->settings.text(), settings.text());
  EXPECT_EQ(shapes().make("point")->settings.full_text(), "point");
}

TEST(Kinds, OfAListBeginAtACommaUnlessAKeyFollows) {
  EXPECT_THAT(kinds_in("point,polygon:corners=5,fill=dots,point"),
              ElementsAre("point", "polygon:corners=5,fill=dots", "point"));
  EXPECT_THAT(kinds_in("polygon:fill=dots,polygon:corners=5"),
              ElementsAre("polygon:fill=dots", "polygon:corners=5"));
  const auto parts = shapes().make_all("polygon:corners=5,fill=dots,point");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0]->settings.text(), "polygon:corners=5,fill=dots");
  EXPECT_EQ(parts[1]->settings.text(), "point");
  EXPECT_THAT(
      [] { shapes().make_all("polygon:corners=3,point,polygon:corners=3,fill=none"); },
      ThrowsMessage<UsageError>("simple shape 'polygon:corners=3' is given twice; name each once"));
  EXPECT_THAT([] { shapes().make_all("point,"); },
              ThrowsMessage<UsageError>(HasSubstr("between two commas and at each end")));
}

TEST(Kinds, OfAListAreKeptInTheShortestText) {
  SettingSpec spec{.name = "shapes", .type = Type::kKind, .kinds = &shapes()};
  EXPECT_THROW(read_value(spec, "point,polygon"), UsageError);
  spec.takes_several = true;
  EXPECT_EQ(value_text(read_value(spec, "polygon:fill=none,corners=5,point")),
            "polygon:corners=5,point");
  EXPECT_EQ(allowed(spec), "SHAPE[:key=value,...],...");
}

TEST(Kinds, TheOnlyKeyOfAKindNeedsNoName) {
  EXPECT_EQ(parse_kind(shapes(), "circle:3").text(), "circle:radius=3");
  EXPECT_EQ(parse_kind(shapes(), "circle:3").whole("radius"), 3);
  EXPECT_THAT(refusal("circle:0"), HasSubstr("radius = '0' is not possible"));
  EXPECT_THAT(refusal("circle:3,4"), HasSubstr("radius is given twice"));
  EXPECT_THAT(refusal("circle:radius"), HasSubstr("expected key=value, found 'radius'"));
  EXPECT_THAT(refusal("circle"), HasSubstr("needs radius"));
}

TEST(Kinds, MessagesNameThePartAndWhatIsExpected) {
  EXPECT_EQ(
      refusal("pointe"),
      "simple shape 'pointe' is not known; did you mean 'point'? Known: point, circle, polygon");
  EXPECT_EQ(refusal("xyz"), "simple shape 'xyz' is not known. Known: point, circle, polygon");
  EXPECT_EQ(refusal("point:"), "simple shape 'point': expected key=value, found ''");
  EXPECT_EQ(refusal("point:1"), "simple shape 'point' has no key '1'; it has no keys");
  EXPECT_EQ(refusal("point:size=1"), "simple shape 'point' has no key 'size'; it has no keys");
  EXPECT_THAT(refusal("polygon:corner=1"), HasSubstr("did you mean 'corners'?"));
  EXPECT_THAT(refusal("polygon:zzz=1"), HasSubstr("its keys are corners, fill, labels or sides"));
  EXPECT_EQ(refusal("polygon:corners=3,"), "simple shape 'polygon': expected key=value, found ''");
  EXPECT_EQ(refusal("polygon:corners"),
            "simple shape 'polygon': expected key=value, found 'corners'");
  EXPECT_EQ(refusal("polygon:corners=3,corners=3"),
            "simple shape 'polygon': corners is given twice");
  EXPECT_EQ(refusal("polygon"),
            "simple shape 'polygon' needs corners, a whole number from 3 to 9: polygon:corners=3");
  EXPECT_EQ(refusal("polygon:corners=3,labels=a+b+c+d"), "more labels than corners");
  for (const char* const list : {"", "a+", "+a", "a++b", "a+a"}) {
    EXPECT_THAT(refusal(std::string("polygon:corners=3,labels=") + list),
                HasSubstr("is not possible: it takes different words joined by +"));
  }
  EXPECT_THAT(refusal("polygon:corners=3,sides=left+bottom"),
              HasSubstr("it takes different words of left, right or top, joined by +"));
}

TEST(Kinds, ANumberCanBeAWordInstead) {
  const SettingSpec spec{.name = "size", .minimum = 1, .maximum = 9, .choices = {"auto"}};
  EXPECT_EQ(read_value(spec, "auto"), SettingValue("auto"));
  EXPECT_EQ(read_value(spec, "2.5"), SettingValue(2.5));
  EXPECT_EQ(allowed(spec), "auto, or a number from 1 to 9");
  EXPECT_THROW(read_value(spec, "aut"), UsageError);
  EXPECT_THROW(read_value(spec, "0.5"), UsageError);
}

TEST(Kinds, HelpHasAParagraphForEachAndALineForEachKey) {
  EXPECT_EQ(kinds_help(shapes(), 60),
            "point: No extent.\n"
            "circle: Round.\n"
            "  radius=a whole number from 1 to 9\n"
            "polygon: Straight sides.\n"
            "  corners=a whole number from 3 to 9. How many.\n"
            " *fill=none or dots; none if not given\n"
            "  labels=different words joined by +; a+b if not given\n"
            "  sides=different words of left, right or top, joined by +;\n"
            "    left if not given\n");
  EXPECT_THAT(kind_names(shapes()), ElementsAre("point", "circle", "polygon"));
}

}  // namespace
}  // namespace palimpsest
