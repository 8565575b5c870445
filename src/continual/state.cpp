#include "palimpsest/continual/state.h"

#include <nlohmann/json.hpp>

#include "palimpsest/core/hash.h"

namespace palimpsest {

StreamState initial_state(const AdaptedLayout& layout, bool with_memory) {
  const auto size = static_cast<std::size_t>(layout.size());
  StreamState state;
  state.merged.assign(size, 0);
  if (with_memory) state.memory = CurvatureMemory(size);
  return state;
}

void broadcast_state(HostGroup& group, StreamState& state) {
  constexpr std::string_view kPhase = "broadcast of the state";
  nlohmann::json shapes{{"tasks_done", state.tasks_done},
                        {"weights", state.merged.size()},
                        {"heads", nlohmann::json::array()}};
  for (const Head& head : state.heads) shapes["heads"].push_back({head.classes, head.features});
  shapes = nlohmann::json::parse(group.broadcast(shapes.dump(), 0, kPhase));

  state.tasks_done = shapes["tasks_done"];
  state.merged.resize(shapes["weights"]);
  group.broadcast(std::as_writable_bytes(std::span(state.merged)), 0, kPhase);
  state.heads.resize(shapes["heads"].size());
  for (std::size_t i = 0; i < state.heads.size(); ++i) {
    Head& head = state.heads[i];
    head.classes = shapes["heads"][i][0];
    head.features = shapes["heads"][i][1];
    head.weight.resize(static_cast<std::size_t>(head.classes * head.features));
    head.bias.resize(static_cast<std::size_t>(head.classes));
    group.broadcast(std::as_writable_bytes(std::span(head.weight)), 0, kPhase);
    group.broadcast(std::as_writable_bytes(std::span(head.bias)), 0, kPhase);
  }
}

std::string weights_hash(const std::vector<float>& weights) {
  return sha256(std::as_bytes(std::span(weights)));
}

}  // namespace palimpsest
