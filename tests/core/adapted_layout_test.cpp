#include "palimpsest/core/adapted_layout.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

TEST(AdaptedLayout, OrdersModulesByNameAndSetsOffsets) {
  const AdaptedLayout layout({{.name = "b", .out = 2, .in = 3}, {.name = "a", .out = 4, .in = 5}});
  EXPECT_EQ(layout.size(), 26);
  EXPECT_EQ(layout.modules()[0].name, "a");
  EXPECT_EQ(layout.modules()[1].offset, 20);
  EXPECT_EQ(layout.index_of("b"), 1u);
}

TEST(AdaptedLayout, RefusesTwinsEmptyShapesAndUnknownNames) {
  EXPECT_THAT(
      [] {
        AdaptedLayout({{.name = "a", .out = 1, .in = 1}, {.name = "a", .out = 1, .in = 1}});
      },
      testing::ThrowsMessage<Error>(testing::HasSubstr("twice")));
  EXPECT_THAT([] { AdaptedLayout({{.name = "a", .out = 0, .in = 1}}); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("[0, 1]")));
  EXPECT_THAT([] { (void)AdaptedLayout({{.name = "a", .out = 1, .in = 1}}).index_of("c"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("'c'")));
}

}  // namespace
}  // namespace palimpsest
