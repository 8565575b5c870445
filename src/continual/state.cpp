#include "palimpsest/continual/state.h"

#include <nlohmann/json.hpp>

#include "palimpsest/core/hash.h"

namespace palimpsest {
namespace {

constexpr std::string_view kBroadcast = "broadcast of the state";

void broadcast(HostGroup& group, std::vector<float>& values) {
  std::int64_t size = std::ssize(values);
  group.broadcast(std::as_writable_bytes(std::span(&size, 1)), 0, kBroadcast);
  values.resize(static_cast<std::size_t>(size));
  group.broadcast(std::as_writable_bytes(std::span(values)), 0, kBroadcast);
}

void broadcast(HostGroup& group, Head& head) {
  std::int64_t shape[] = {head.classes, head.features};
  group.broadcast(std::as_writable_bytes(std::span(shape)), 0, kBroadcast);
  head.classes = shape[0];
  head.features = shape[1];
  broadcast(group, head.weight);
  broadcast(group, head.bias);
  head.kind = group.broadcast(head.kind, 0, kBroadcast);
  group.broadcast(std::as_writable_bytes(std::span(&head.scale, 1)), 0, kBroadcast);
}

void broadcast(HostGroup& group, ClassStatistics& statistics) {
  std::int64_t shape[] = {statistics.classes, statistics.features};
  group.broadcast(std::as_writable_bytes(std::span(shape)), 0, kBroadcast);
  statistics.classes = shape[0];
  statistics.features = shape[1];
  broadcast(group, statistics.mean);
  broadcast(group, statistics.variance);
}

void broadcast(HostGroup& group, AdapterAndHead& values) {
  nlohmann::json modules = nlohmann::json::array();
  for (const LoraFactors& factors : values.lora) {
    modules.push_back({factors.module, factors.out, factors.in, factors.rank, factors.scale});
  }
  modules = nlohmann::json::parse(group.broadcast(modules.dump(), 0, kBroadcast));
  values.lora.resize(modules.size());
  for (std::size_t i = 0; i < modules.size(); ++i) {
    LoraFactors& factors = values.lora[i];
    factors.module = modules[i][0];
    factors.out = modules[i][1];
    factors.in = modules[i][2];
    factors.rank = modules[i][3];
    factors.scale = modules[i][4];
    broadcast(group, factors.a);
    broadcast(group, factors.b);
  }
  broadcast(group, values.head);
}

}  // namespace

StreamState initial_state(const AdaptedLayout& layout, bool with_memory) {
  const auto size = static_cast<std::size_t>(layout.size());
  StreamState state;
  state.merged = make_weights(std::vector<float>(size));
  if (with_memory) state.memory = CurvatureMemory(size);
  return state;
}

void broadcast_state(HostGroup& group, StreamState& state) {
  std::int64_t counts[] = {state.tasks_done, std::ssize(state.heads),
                           std::ssize(state.class_statistics)};
  group.broadcast(std::as_writable_bytes(std::span(counts)), 0, kBroadcast);
  state.tasks_done = counts[0];
  state.heads.resize(static_cast<std::size_t>(counts[1]));
  state.class_statistics.resize(static_cast<std::size_t>(counts[2]));
  state.merged = broadcast(group, state.merged, state.merged->size(), kBroadcast);
  state.merged_hash = weights_hash(*state.merged);
  for (Head& head : state.heads) broadcast(group, head);
  for (ClassStatistics& statistics : state.class_statistics) broadcast(group, statistics);
}

QuadraticPenalty next_penalty(HostGroup& group, const Penalty& penalty, const StreamState& state) {
  QuadraticPenalty next;
  if (!penalty.needs_curvature() || state.tasks_done == 0) return next;
  if (group.rank() == 0) next = penalty.of(state.memory, *state.merged);
  for (std::vector<float>* part : {&next.curvature, &next.slope}) {
    part->resize(state.merged->size());
    group.broadcast(std::as_writable_bytes(std::span(*part)), 0, "broadcast of the penalty");
  }
  return next;
}

void broadcast_progress(HostGroup& group, std::optional<TaskProgress>& progress) {
  if (!group.any(progress.has_value(), kBroadcast)) return;
  if (!progress) progress.emplace();
  std::int64_t counts[] = {progress->task, progress->steps_done, progress->steps, progress->updates,
                           progress->samples_last_pass};
  group.broadcast(std::as_writable_bytes(std::span(counts)), 0, kBroadcast);
  progress->task = counts[0];
  progress->steps_done = counts[1];
  progress->steps = counts[2];
  progress->updates = counts[3];
  progress->samples_last_pass = counts[4];
  double numbers[] = {progress->loss_first_step, progress->loss_sum_last_pass, progress->seconds};
  group.broadcast(std::as_writable_bytes(std::span(numbers)), 0, kBroadcast);
  progress->loss_first_step = numbers[0];
  progress->loss_sum_last_pass = numbers[1];
  progress->seconds = numbers[2];
  for (AdapterAndHead* part :
       {&progress->parameters, &progress->first_moment, &progress->second_moment}) {
    broadcast(group, *part);
  }
}

}  // namespace palimpsest
