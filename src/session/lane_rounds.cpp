#include "palimpsest/session/lane_rounds.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "palimpsest/device/placement.h"

namespace palimpsest {

LaneRounds::LaneRounds(Collectives& collectives, std::int64_t lanes, std::int64_t size,
                       at::Device device)
    : collectives_(collectives),
      lanes_(lanes),
      part_(at::zeros({size}, at::TensorOptions().dtype(at::kDouble).device(device))) {
  const at::Tensor mine = rank_slice(part_, collectives.rank(), collectives.size());
  total_ = at::empty_like(mine);
  if (collectives.size() > 1)
    received_ = at::empty({collectives.size(), mine.numel()}, part_.options());
}

int LaneRounds::lanes_in_round() const {
  return static_cast<int>(std::min<std::int64_t>(lanes_ - first_, collectives_.size()));
}

std::optional<std::int64_t> LaneRounds::lane() const {
  if (collectives_.rank() >= lanes_in_round()) return std::nullopt;
  return first_ + collectives_.rank();
}

void LaneRounds::finish_round() {
  const int rank = collectives_.rank(), ranks = collectives_.size(), lanes = lanes_in_round();
  std::vector<Transfer> sends, receives;
  for (int peer = 0; peer < ranks; ++peer) {
    if (peer == rank) continue;
    if (lane()) sends.push_back({peer, as_buffer(rank_slice(part_, peer, ranks))});
    if (peer < lanes) receives.push_back({peer, as_buffer(received_[peer])});
  }
  collectives_.exchange(sends, receives);
  for (int owner = 0; owner < lanes; ++owner) {
    const at::Tensor of_lane = owner == rank ? rank_slice(part_, rank, ranks) : received_[owner];
    if (first_ + owner == 0)
      total_.copy_(of_lane);
    else
      total_.add_(of_lane);
  }
  first_ += ranks;
  if (has_round()) part_.zero_();
}

at::Tensor LaneRounds::take_total() {
  const int ranks = collectives_.size();
  const bool is_root = collectives_.rank() == 0;
  received_.reset();
  const at::Tensor all = ranks == 1 ? total_ : std::move(part_);  // its last values aren't needed
  part_.reset();
  std::vector<Transfer> sends, receives;
  if (!is_root) sends.push_back({0, as_buffer(total_)});
  for (int peer = 1; is_root && peer < ranks; ++peer)
    receives.push_back({peer, as_buffer(rank_slice(all, peer, ranks))});
  collectives_.exchange(sends, receives);
  if (!is_root) return {};
  if (ranks > 1) rank_slice(all, 0, ranks).copy_(total_);
  return all;
}

}  // namespace palimpsest
