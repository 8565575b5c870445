// What rank 0 has read of a state or a step reaches every rank, whatever the parts keep.
#include "palimpsest/continual/state.h"

#include <gmock/gmock.h>

#include "palimpsest/comm/watchdog.h"
#include "palimpsest/format/heads.h"

namespace palimpsest {
namespace {

struct StateTest : testing::Test {
  Watchdog watchdog{30};
  HostGroup group{watchdog};
  bool is_root() const { return group.rank() == 0; }
};

TEST_F(StateTest, WhatEveryRankKeepsReachesAllAndWhatTheRootKeepsStaysThere) {
  NamedTensors shared;
  put_head(shared, 0,
           {.classes = 1, .features = 2, .weight = {0.1f, -0.0f}, .bias = {3}, .kind = "linear"});
  shared.put("classifier/toy/gram",
             {.dims = {2, 2}, .values = std::vector<double>{0.1, 1.0 / 3, -0.0, 1e-300}});
  shared.put("classifier/toy/counts", {.dims = {1}, .values = std::vector<std::int64_t>{1 << 30}});
  StreamState state = initial_state(AdaptedLayout({{.name = "m", .out = 1, .in = 2}}),
                                    is_root() ? "curvature/toy" : "");
  if (is_root()) {
    state.tasks_done = 3;
    state.merged = make_weights({0.5f, -1});
    for (const auto& [name, tensor] : shared) state.memory.put(name, tensor);
  } else {
    state.memory.put("classifier/toy/stale", {.dims = {1}, .values = std::vector<float>{1}});
  }
  broadcast_state(group, state);
  EXPECT_EQ(state.tasks_done, 3);
  EXPECT_EQ(*state.merged, (std::vector<float>{0.5f, -1}));
  EXPECT_EQ(state.merged_hash, weights_hash(*state.merged));
  EXPECT_EQ(state.memory.names("curvature").size(), is_root() ? 2u : 0u);
  if (is_root()) state.memory.erase("curvature");
  EXPECT_EQ(state.memory, shared);
}

TEST_F(StateTest, ProgressReachesAll) {
  TaskProgress expected;
  expected.task = 2;
  expected.steps_done = 7;
  expected.steps = 9;
  expected.updates = 6;
  expected.predictions_last_pass = 5;
  expected.loss_first_step = 0.1;
  expected.loss_sum_last_pass = 1.0 / 3;
  expected.seconds = 2.5;
  const LoraFactors factors{
      .module = "m", .out = 1, .in = 2, .rank = 1, .scale = 0.1, .a = {0.5f, -0.0f}, .b = {1e-30f}};
  const Head head{
      .classes = 1, .features = 1, .weight = {0.25f}, .bias = {0}, .kind = "cosine", .scale = 16.1};
  for (AdapterAndHead* part :
       {&expected.parameters, &expected.first_moment, &expected.second_moment})
    *part = {.lora = {factors, factors}, .head = head};
  std::optional<TaskProgress> progress;
  broadcast_progress(group, progress);
  EXPECT_FALSE(progress.has_value());
  if (is_root()) progress = expected;
  broadcast_progress(group, progress);
  ASSERT_TRUE(progress.has_value());
  EXPECT_TRUE(*progress == expected);
}

}  // namespace
}  // namespace palimpsest
