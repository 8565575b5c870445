#pragma once
// The curvature of a task where each rank keeps that of some modules (--shard-memory).
#include <ATen/core/Tensor.h>

#include "palimpsest/curvature/curvature.h"
#include "palimpsest/session/chunk_loop.h"

namespace palimpsest {

// Over a training set.
struct CurvatureTotal {
  at::Tensor sums = {};  // float64, a flat vector of Shards::own(); undefined: on other ranks
  double loss = 0;       // where there are sums
};

// What a chunk's samples need besides what the pack has.
using DrawNumbers = std::function<void(const Chunk& chunk, Batch& batch)>;
// Returns the loss of a batch, [], and adds its curvature to the sums, to each module once.
using ChunkCurvature = std::function<at::Tensor(const Batch& batch, CurvatureSums& sums)>;

// Collective. As sum_on_root(), with the same bits. One lane after another, the ranks take a chunk
// of it each; what a pass adds to a module goes to its owner at once, so that a rank has two
// vectors of the modules that it owns, and two modules more. Throws Stopped, on every
// rank alike, between two rounds of chunks.
CurvatureTotal sum_by_shards(Session& session, const LabelledSamples& split,
                             std::int64_t chunk_size, const DrawNumbers& draw,
                             const ChunkCurvature& pass);

}  // namespace palimpsest
