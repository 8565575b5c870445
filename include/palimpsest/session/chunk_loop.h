#pragma once
// The one loop over samples without training: chunks of a split, distributed over the ranks, with
// the stop request and the device's pace inside.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "palimpsest/data/batch.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// Samples that make one pass of the model. Which ones doesn't depend on the number of ranks.
struct Chunk {
  std::int64_t number = 0;  // over all splits of the loop
  std::int64_t first = 0;   // position of its first sample in the split
  std::span<const std::int64_t> positions;
  std::int64_t size() const { return std::ssize(positions); }
};

class ChunkLoop {
 public:
  // Chunk i belongs to share i mod `shares`, and a share to rank share mod world size. Sums that
  // must not depend on the number of ranks are made by share.
  ChunkLoop(Session& session, std::int64_t shares)
      : ChunkLoop(session, shares, session.inputs.pack) {}
  // Over samples of another pack than the session's.
  ChunkLoop(Session& session, std::int64_t shares, const Pack& pack)
      : session_(session), pack_(pack), shares_(shares) {}

  // Collective. Calls `pass` with each chunk of up to `size` samples that belongs to this rank, in
  // order, with its share and its samples without augmentation. Numbers continue from the split
  // before. Throws Stopped, on every rank alike, between two rounds of chunks.
  using Pass = std::function<void(const Chunk& chunk, std::int64_t share, Batch batch)>;
  void over(const LabelledSamples& split, std::int64_t size, const Pass& pass);

  // The same with the chunks of one share alone, another for each rank; none: this rank has none.
  void over_share(std::optional<std::int64_t> share, const LabelledSamples& split,
                  std::int64_t size, const Pass& pass);

 private:
  void over_shares(const std::function<bool(std::int64_t share)>& is_own,
                   const LabelledSamples& split, std::int64_t size, const Pass& pass);

  Session& session_;
  const Pack& pack_;
  std::int64_t shares_, number_ = 0;
};

// Float64 vectors of this size by lane, which are added in lane order however the run adds its
// gradients.
LaneSum ordered_sum(Session& session, std::int64_t size);

// Collective. The same, with what `pass` returns for each chunk of a split [size] in the chunk's
// lane.
using ChunkPass = std::function<at::Tensor(const Chunk& chunk, Batch& batch)>;
LaneSum sum_over_chunks(Session& session, const LabelledSamples& split, std::int64_t chunk_size,
                        std::int64_t size, const ChunkPass& pass);

// Collective. That sum on rank 0, with the same bits; undefined elsewhere. For large vectors: a
// rank never keeps more than one of its lanes.
at::Tensor sum_on_root(Session& session, const LabelledSamples& split, std::int64_t chunk_size,
                       std::int64_t size, const ChunkPass& pass);

}  // namespace palimpsest
