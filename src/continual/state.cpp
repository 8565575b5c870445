#include "palimpsest/continual/state.h"

#include "palimpsest/core/hash.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {
namespace {

constexpr std::string_view kBroadcast = "broadcast of the state";

// These bring what rank 0 has to all.
template <typename T>
requires std::is_arithmetic_v<T>
void broadcast(HostGroup& group, T& number) {
  group.broadcast(std::span(&number, 1), 0, kBroadcast);
}

template <typename T>
void broadcast(HostGroup& group, std::vector<T>& values) {
  group.broadcast(values, 0, kBroadcast);
}

void broadcast(HostGroup& group, std::string& text) { text = group.broadcast(text, 0, kBroadcast); }

template <typename... Parts>
void broadcast_each(HostGroup& group, Parts&... parts) {
  (broadcast(group, parts), ...);
}

void broadcast(HostGroup& group, AdapterAndHead& values) {
  std::uint64_t modules = values.lora.size();
  broadcast(group, modules);
  values.lora.resize(modules);
  for (LoraFactors& f : values.lora)
    broadcast_each(group, f.module, f.out, f.in, f.rank, f.scale, f.a, f.b);
  Head& head = values.head;
  broadcast_each(group, head.kind, head.scale, head.classes, head.features, head.weight, head.bias);
}

}  // namespace

StreamState initial_state(const AdaptedLayout& layout, const std::string& curvature) {
  const auto size = static_cast<std::size_t>(layout.size());
  StreamState state;
  state.merged = make_weights(std::vector<float>(size));
  if (!curvature.empty()) put_curvature(state.memory, curvature, CurvatureMemory(size));
  return state;
}

void broadcast_state(HostGroup& group, StreamState& state) {
  broadcast(group, state.tasks_done);
  state.merged = broadcast(group, state.merged, state.merged->size(), kBroadcast);
  state.merged_hash = weights_hash(*state.merged);
  broadcast(group, state.memory, kBroadcast);
}

QuadraticPenalty next_penalty(HostGroup& group, const Penalty& penalty,
                              const std::string& curvature, StreamState& state) {
  QuadraticPenalty next;
  if (state.tasks_done == 0) return next;
  group.work("penalty on rank 0", [&] {
    if (group.rank() != 0) return;
    const std::string needed = penalty.needs_curvature() ? curvature : "";
    CurvatureMemory memory = take_curvature(state.memory, needed);
    next = penalty.quadratic(memory, *state.merged);
    put_curvature(state.memory, needed, std::move(memory));
  });
  for (std::vector<float>* part : {&next.curvature, &next.slope})
    group.broadcast(*part, 0, "broadcast of the penalty");
  return next;
}

void broadcast_progress(HostGroup& group, std::optional<TaskProgress>& progress) {
  if (!group.any(progress.has_value(), kBroadcast)) return;
  if (!progress) progress.emplace();
  TaskProgress& p = *progress;
  broadcast_each(group, p.task, p.steps_done, p.steps, p.updates, p.predictions_last_pass,
                 p.loss_first_step, p.loss_sum_last_pass, p.seconds);
  for (AdapterAndHead* part : {&p.parameters, &p.first_moment, &p.second_moment})
    broadcast(group, *part);
}

}  // namespace palimpsest
