// What rank 0 makes of the penalty reaches every rank, from the second task on.
#include <gmock/gmock.h>

#include "palimpsest/comm/watchdog.h"
#include "palimpsest/continual/state.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Towards the pretrained weights, or by S0.
class ToyPenalty : public Penalty {
 public:
  explicit ToyPenalty(bool by_curvature) : by_curvature_(by_curvature) {}
  bool needs_curvature() const override { return by_curvature_; }
  QuadraticPenalty quadratic(const CurvatureMemory& memory,
                             std::span<const float> merged) const override {
    const auto curvature = by_curvature_ ? static_cast<float>(memory.s0()[0]) : 1;
    return {.curvature = std::vector<float>(merged.size(), curvature),
            .slope = std::vector<float>(merged.begin(), merged.end())};
  }

 private:
  bool by_curvature_;
};

TEST(NextPenalty, IsFormedOnTheRootWhetherItNeedsTheCurvatureOrNot) {
  Watchdog watchdog(30);
  HostGroup group(watchdog);
  const bool is_root = group.rank() == 0;
  const std::string instance = "curvature/toy";
  StreamState state =
      initial_state(AdaptedLayout({{.name = "m", .out = 1, .in = 2}}), is_root ? instance : "");
  if (is_root) {
    CurvatureMemory memory = take_curvature(state.memory, instance);
    memory.add(std::vector<float>{3, 5}, std::vector<float>{0, 0});
    put_curvature(state.memory, instance, std::move(memory));
  }
  state.merged = make_weights(is_root ? std::vector<float>{0.5f, -1} : std::vector<float>{0, 0});
  for (const bool by_curvature : {false, true}) {
    const ToyPenalty penalty(by_curvature);
    state.tasks_done = 0;
    EXPECT_THAT(next_penalty(group, penalty, instance, state).slope, IsEmpty());
    state.tasks_done = 1;
    const NamedTensors memory = state.memory;
    const QuadraticPenalty next = next_penalty(group, penalty, instance, state);
    EXPECT_THAT(next.curvature, testing::Each(by_curvature ? 3 : 1));
    EXPECT_THAT(next.slope, ElementsAre(0.5f, -1));
    EXPECT_EQ(state.memory, memory);
  }
}

}  // namespace
}  // namespace palimpsest
