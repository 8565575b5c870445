#include "palimpsest/session/chunk_loop.h"

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
    pass(chunk, share, reader.test_view(split, positions));
    pace.queued();
  }
}

}  // namespace palimpsest
