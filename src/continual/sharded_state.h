#pragma once
// What the ranks keep in shards (--shard-memory), on its way to and from rank 0.
#include <string>

#include "palimpsest/continual/state.h"
#include "palimpsest/format/records.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// A rank's shards of what a save of rank 0 writes. Vectors of Shards::own(); empty: there is none.
struct SavedShards {
  std::span<const float> weights, fisher;
  std::span<const double> s0, s1;
  std::string curvature;  // the instance of S0 and S1
};

// Rank 0 requests a module of an array, and its owner sends it.
class ShardRequests : public ModuleArrays {
 public:
  ShardRequests(Session& session, SavedShards shards)
      : session_(session), shards_(std::move(shards)) {}

  // Rank 0.
  std::vector<float> floats(ModuleArray array, std::size_t module) override;
  std::vector<double> doubles(ModuleArray array, std::size_t module) override;
  std::string curvature() const override { return shards_.curvature; }
  void end();

  // The other ranks: until rank 0 ends.
  void answer();

 private:
  struct Request {
    ModuleArray array = ModuleArray::kWeights;
    std::size_t module = 0;
    bool ends = false;
  };
  Request share(Request request);  // that of rank 0
  std::span<const float> own_floats(ModuleArray array) const {
    return array == ModuleArray::kWeights ? shards_.weights : shards_.fisher;
  }
  std::span<const double> own_doubles(ModuleArray array) const {
    return array == ModuleArray::kS0 ? shards_.s0 : shards_.s1;
  }

  Session& session_;
  SavedShards shards_;
};

// Collective. As broadcast_state(), where rank 0 has the state that the stream begins with, as a
// file has it: weights, S0 and S1 go from there to their owners. curvature: their instance; "":
// none. A fresh state needs neither.
void share_state(Session& session, const std::string& curvature, StreamState& state);

// Collective: weights_hash() of the weights of all modules.
std::string sharded_hash(Session& session, const AdaptedWeights& weights);

}  // namespace palimpsest
