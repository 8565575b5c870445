#include "palimpsest/continual/state.h"

#include "palimpsest/core/hash.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {
namespace {

constexpr std::string_view kBroadcast = "broadcast of the state";

template <typename T>
void broadcast_number(HostGroup& group, T& number) {
  group.broadcast(std::span(&number, 1), 0, kBroadcast);
}

void broadcast(HostGroup& group, Head& head) {
  head.kind = group.broadcast(head.kind, 0, kBroadcast);
  broadcast_number(group, head.scale);
  broadcast_number(group, head.classes);
  broadcast_number(group, head.features);
  group.broadcast(head.weight, 0, kBroadcast);
  group.broadcast(head.bias, 0, kBroadcast);
}

void broadcast(HostGroup& group, LoraFactors& factors) {
  factors.module = group.broadcast(factors.module, 0, kBroadcast);
  broadcast_number(group, factors.out);
  broadcast_number(group, factors.in);
  broadcast_number(group, factors.rank);
  broadcast_number(group, factors.scale);
  group.broadcast(factors.a, 0, kBroadcast);
  group.broadcast(factors.b, 0, kBroadcast);
}

void broadcast(HostGroup& group, AdapterAndHead& values) {
  std::uint64_t modules = values.lora.size();
  broadcast_number(group, modules);
  values.lora.resize(modules);
  for (LoraFactors& factors : values.lora) broadcast(group, factors);
  broadcast(group, values.head);
}

// Values of a type that only rank 0 knows.
void broadcast(HostGroup& group, NamedTensor::Values& values) {
  std::uint64_t type = values.index();
  broadcast_number(group, type);
  if (group.rank() != 0) {
    if (type == 0) values = std::vector<float>();
    if (type == 1) values = std::vector<double>();
    if (type == 2) values = std::vector<std::int64_t>();
  }
  std::visit([&](auto& numbers) { group.broadcast(numbers, 0, kBroadcast); }, values);
}

// Of the tensors that every rank keeps.
void broadcast(HostGroup& group, NamedTensors& memory) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : memory) {
    if (tensor.keeper == Keeper::kEveryRank) names.push_back(name);
  }
  group.broadcast(names, 0, kBroadcast);
  if (group.rank() != 0) memory = {};
  for (const std::string& name : names) {
    NamedTensor tensor;
    if (group.rank() == 0) tensor = memory.at(name);
    group.broadcast(tensor.dims, 0, kBroadcast);
    broadcast(group, tensor.values);
    if (group.rank() != 0) memory.put(name, std::move(tensor));
  }
}

}  // namespace

StreamState initial_state(const AdaptedLayout& layout, const std::string& curvature) {
  const auto size = static_cast<std::size_t>(layout.size());
  StreamState state;
  state.merged = make_weights(std::vector<float>(size));
  put_curvature(state.memory, curvature, CurvatureMemory(size));
  return state;
}

void broadcast_state(HostGroup& group, StreamState& state) {
  broadcast_number(group, state.tasks_done);
  state.merged = broadcast(group, state.merged, state.merged->size(), kBroadcast);
  state.merged_hash = weights_hash(*state.merged);
  broadcast(group, state.memory);
}

QuadraticPenalty next_penalty(HostGroup& group, const Penalty& penalty,
                              const std::string& curvature, StreamState& state) {
  QuadraticPenalty next;
  if (state.tasks_done == 0) return next;
  group.work("penalty on rank 0", [&] {
    if (group.rank() != 0) return;
    const std::string needed = penalty.needs_curvature() ? curvature : "";
    CurvatureMemory memory = take_curvature(state.memory, needed);
    next = penalty.of(memory, *state.merged);
    put_curvature(state.memory, needed, std::move(memory));
  });
  for (std::vector<float>* part : {&next.curvature, &next.slope})
    group.broadcast(*part, 0, "broadcast of the penalty");
  return next;
}

void broadcast_progress(HostGroup& group, std::optional<TaskProgress>& progress) {
  if (!group.any(progress.has_value(), kBroadcast)) return;
  if (!progress) progress.emplace();
  for (std::int64_t* count : {&progress->task, &progress->steps_done, &progress->steps,
                              &progress->updates, &progress->samples_last_pass})
    broadcast_number(group, *count);
  for (double* number :
       {&progress->loss_first_step, &progress->loss_sum_last_pass, &progress->seconds})
    broadcast_number(group, *number);
  for (AdapterAndHead* part :
       {&progress->parameters, &progress->first_moment, &progress->second_moment})
    broadcast(group, *part);
}

}  // namespace palimpsest
