#include "palimpsest/session/chunk_loop.h"

#include <ATen/ATen.h>

#include <utility>

#include "palimpsest/device/streams.h"

namespace palimpsest {

void ChunkLoop::over(const LabelledSamples& split, std::int64_t size, const Pass& pass) {
  const SampleReader reader = session_.reader();
  Pace pace(session_.device());
  for (const std::vector<std::int64_t>& positions : chunks(split.size(), size)) {
    const Chunk chunk{.number = number_++, .first = positions.front(), .positions = positions};
    const std::int64_t share = chunk.number % shares_;
    if (share == 0) session_.stop.check();
    if (share % session_.group.size() != session_.group.rank()) continue;
    pass(chunk, share, reader.test_batch(split, positions));
    pace.queued();
  }
}

LaneSum ordered_sum(Session& session, std::int64_t size) {
  Lanes lanes = session.lanes;
  lanes.ordered = true;
  return {*session.placement.collectives, lanes, size, at::kDouble, session.device()};
}

LaneSum sum_over_chunks(Session& session, const LabelledSamples& split, std::int64_t chunk_size,
                        std::int64_t size, const ChunkPass& pass) {
  LaneSum sums = ordered_sum(session, size);
  ChunkLoop(session, session.lanes.count)
      .over(split, chunk_size, [&](const Chunk& chunk, std::int64_t lane, Batch batch) {
        at::Tensor part = sums.part(static_cast<std::size_t>(lane / session.group.size()));
        part.add_(pass(chunk, batch));
      });
  return sums;
}

}  // namespace palimpsest
