#include "palimpsest/kinds/needed_memory.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

TEST(NeededMemory, ThatIsOptionalIsKeptWhereItIsThere) {
  NamedTensors memory;
  for (const char* const name : {"classifier/a/0/weight", "classifier/b/0/weight"})
    memory.put(name, {.dims = {1}, .values = std::vector<float>{1}});
  NeededMemory needed{.names = {"classifier/a/0/weight", "classifier/a/1/weight"},
                      .settings = "--classifier a",
                      .if_none = "none",
                      .if_other = "other"};
  const auto check = [&] { check_memory("a run", memory, std::vector{needed}); };
  EXPECT_THAT(check, testing::ThrowsMessage<UsageError>(
                         testing::HasSubstr("expected classifier/a/1/weight in its memory")));
  needed.is_optional = true;
  EXPECT_NO_THROW(check());
  EXPECT_EQ(drop_unused_memory(memory, std::vector{needed}), "classifier/b (1 array)");
  EXPECT_THAT(memory.names(), testing::ElementsAre("classifier/a/0/weight"));
}

}  // namespace
}  // namespace palimpsest
