#include "sharded_state.h"

#include <algorithm>
#include <utility>

#include "palimpsest/core/hash.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {
namespace {

constexpr std::string_view kPhase = "a shard to rank 0";

// On rank 0 the values of a module; elsewhere empty.
template <typename T>
std::vector<T> module_to_root(Session& session, std::span<const T> own, std::size_t module) {
  const Shards& shards = session.shards;
  const std::span<const T> part = shards.part(own, module);
  std::vector<T> values(part.begin(), part.end());
  if (session.is_root())
    values.resize(static_cast<std::size_t>(shards.all().modules()[module].size()));
  session.group.copy(std::as_writable_bytes(std::span(values)), shards.owner(module), 0, kPhase);
  return session.is_root() ? values : std::vector<T>();
}

// all: on rank 0, of all modules.
template <typename T>
std::vector<T> scatter(Session& session, std::span<const T> all) {
  const Shards& shards = session.shards;
  std::vector<T> own(static_cast<std::size_t>(shards.own().size()));
  for (std::size_t m = 0; m < shards.all().modules().size(); ++m) {
    const AdaptedModule& module = shards.all().modules()[m];
    const auto size = static_cast<std::size_t>(module.size());
    const std::span<T> part = shards.part(std::span(own), m);
    if (session.is_root() && !part.empty()) {
      std::ranges::copy(all.subspan(static_cast<std::size_t>(module.offset), size), part.begin());
      continue;
    }
    T* const values = session.is_root() ? const_cast<T*>(all.data() + module.offset)  // only read
                                        : part.data();
    session.group.copy(std::as_writable_bytes(std::span(values, values == nullptr ? 0 : size)), 0,
                       shards.owner(m), "shards from rank 0 to all");
  }
  return own;
}

}  // namespace

ShardRequests::Request ShardRequests::share(Request request) {
  session_.group.broadcast(std::span(&request, 1), 0, "request of a shard");
  return request;
}

std::vector<float> ShardRequests::floats(ModuleArray array, std::size_t module) {
  share({.array = array, .module = module});
  return module_to_root(session_, own_floats(array), module);
}

std::vector<double> ShardRequests::doubles(ModuleArray array, std::size_t module) {
  share({.array = array, .module = module});
  return module_to_root(session_, own_doubles(array), module);
}

void ShardRequests::end() { share({.ends = true}); }

void ShardRequests::answer() {
  for (Request request = share({}); !request.ends; request = share({})) {
    const auto [array, module, _] = request;
    if (array == ModuleArray::kWeights || array == ModuleArray::kFisher)
      module_to_root(session_, own_floats(array), module);
    else
      module_to_root(session_, own_doubles(array), module);
  }
}

void share_state(Session& session, const std::string& curvature, StreamState& state) {
  constexpr std::string_view kState = "broadcast of the state";
  session.group.broadcast(std::span(&state.tasks_done, 1), 0, kState);
  CurvatureMemory all(0);
  if (session.is_root() && state.tasks_done > 0) all = take_curvature(state.memory, curvature);
  broadcast(session.group, state.memory, kState);
  if (state.tasks_done == 0) {
    state.merged = zero_weights(session);
  } else {
    state.merged = make_weights(scatter(session, std::span(*state.merged)));
  }
  state.merged_hash = sharded_hash(session, state.merged);
  if (curvature.empty()) return;
  if (state.tasks_done == 0) {
    put_curvature(state.memory, curvature, CurvatureMemory(state.merged->size()));
  } else {
    put_curvature(state.memory, curvature,
                  {scatter(session, all.s0()), scatter(session, all.s1())});
  }
}

std::string sharded_hash(Session& session, const AdaptedWeights& weights) {
  Sha256 hash;
  for (std::size_t m = 0; m < session.shards.all().modules().size(); ++m) {
    const std::vector<float> values = module_to_root(session, std::span(*weights), m);
    hash.update(std::as_bytes(std::span(values)));
  }
  return session.group.broadcast(session.is_root() ? hash.hex() : "", 0,
                                 "hash of the weights of all shards");
}

}  // namespace palimpsest
