#include "sharded_sums.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/device/placement.h"
#include "palimpsest/device/streams.h"

namespace palimpsest {
namespace {

// Of the lane that runs.
class LaneShard : public CurvatureSums {
 public:
  explicit LaneShard(Session& session)
      : session_(session),
        part_(at::zeros({session.shards.own().size()},
                        at::TensorOptions().dtype(at::kDouble).device(session.device()))) {}

  const at::Tensor& part() const { return part_; }

  // Before a pass of every rank. chunks: so many ranks have one that counts, from rank 0 on.
  void begin_round(int chunks) { chunks_ = chunks; }

  // The owner adds what the ranks have, in the order of their chunks.
  void add(std::size_t module, const AddTo& add_to) override {
    const Shards& shards = session_.shards;
    const int rank = session_.group.rank(), owner = shards.owner(module);
    const AdaptedModule& m = shards.all().modules()[module];
    at::Tensor own;
    if (rank < chunks_)
      add_to(own = at::zeros({m.out, m.in}, at::TensorOptions(session_.device())));
    if (rank != owner) {
      if (own.defined()) exchange({{owner, as_buffer(own)}}, {});
      return;
    }
    at::Tensor sums = part_.narrow(0, shards.own_offset(module), m.size()).view({m.out, m.in});
    at::Tensor received;
    for (int from = 0; from < chunks_; ++from) {
      if (from == rank) {
        sums.add_(own);
        continue;
      }
      if (!received.defined()) received = at::empty_like(sums, at::kFloat);
      exchange({}, {{from, as_buffer(received)}});
      sums.add_(received);
    }
  }

 private:
  void exchange(std::initializer_list<Transfer> sends, std::initializer_list<Transfer> receives) {
    session_.placement.collectives->exchange(std::span(sends.begin(), sends.size()),
                                             std::span(receives.begin(), receives.size()));
  }

  Session& session_;
  at::Tensor part_;
  int chunks_ = 0;
};

}  // namespace

CurvatureTotal sum_by_shards(Session& session, const LabelledSamples& split,
                             std::int64_t chunk_size, const DrawNumbers& draw,
                             const ChunkCurvature& pass) {
  const auto all = chunks(split.size(), chunk_size);
  const std::int64_t count = std::ssize(all), lanes = session.lanes.count,
                     ranks = session.group.size(), rank = session.group.rank();
  const SampleReader reader = session.reader();
  Pace pace(session.device());
  LaneShard lane_sums(session);
  CurvatureTotal total{.sums = at::zeros_like(lane_sums.part())};
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    double lane_loss = 0;
    lane_sums.part().zero_();
    for (std::int64_t first = lane; first < count; first += lanes * ranks) {
      session.stop.check();
      const std::int64_t left = (count - first + lanes - 1) / lanes;
      const std::int64_t in_round = std::min(left, ranks);
      // A rank without a chunk goes through the last one, since it may own modules.
      const std::int64_t number = first + std::min(rank, in_round - 1) * lanes;
      const std::vector<std::int64_t>& positions = all[static_cast<std::size_t>(number)];
      lane_sums.begin_round(static_cast<int>(in_round));
      Batch batch = reader.test_batch(split, positions);
      draw({.number = number, .first = positions.front(), .positions = positions}, batch);
      const at::Tensor loss = pass(batch, lane_sums);
      std::vector<double> losses(static_cast<std::size_t>(in_round));
      if (rank < in_round) losses[static_cast<std::size_t>(rank)] = loss.item<double>();
      session.group.sum(losses, "losses of a round of chunks");
      for (const double of_chunk : losses) lane_loss += of_chunk;
      pace.queued();
    }
    total.sums.add_(lane_sums.part());
    total.loss += lane_loss;
  }
  return total;
}

}  // namespace palimpsest
