#include "palimpsest/session/chunk_loop.h"

#include <ATen/ATen.h>

#include <utility>

#include "palimpsest/device/streams.h"
#include "palimpsest/session/lane_rounds.h"

namespace palimpsest {

void ChunkLoop::over(const LabelledSamples& split, std::int64_t size, const Pass& pass) {
  const std::int64_t ranks = session_.group.size(), rank = session_.group.rank();
  over_shares([&](std::int64_t share) { return share % ranks == rank; }, split, size, pass);
}

void ChunkLoop::over_share(std::optional<std::int64_t> own, const LabelledSamples& split,
                           std::int64_t size, const Pass& pass) {
  over_shares([&](std::int64_t share) { return share == own; }, split, size, pass);
}

void ChunkLoop::over_shares(const std::function<bool(std::int64_t share)>& is_own,
                            const LabelledSamples& split, std::int64_t size, const Pass& pass) {
  const SampleReader reader = session_.reader_of(pack_);
  Pace pace(session_.device());
  for (const std::vector<std::int64_t>& positions : chunks(split.size(), size)) {
    const Chunk chunk{.number = number_++, .first = positions.front(), .positions = positions};
    const std::int64_t share = chunk.number % shares_;
    if (share == 0) session_.stop.check();
    if (!is_own(share)) continue;
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

at::Tensor sum_on_root(Session& session, const LabelledSamples& split, std::int64_t chunk_size,
                       std::int64_t size, const ChunkPass& pass) {
  LaneRounds rounds(*session.placement.collectives, session.lanes.count, size, session.device());
  for (; rounds.has_round(); rounds.finish_round()) {
    at::Tensor part = rounds.part();
    ChunkLoop(session, session.lanes.count)
        .over_share(
            rounds.lane(), split, chunk_size,
            [&](const Chunk& chunk, std::int64_t, Batch batch) { part.add_(pass(chunk, batch)); });
  }
  return rounds.take_total();
}

}  // namespace palimpsest
