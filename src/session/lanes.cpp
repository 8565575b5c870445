#include "palimpsest/session/lanes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/placement.h"

namespace palimpsest {

std::vector<std::int64_t> Lanes::of_rank(int rank, int world_size) const {
  std::vector<std::int64_t> own;
  for (std::int64_t lane = rank; lane < count; lane += world_size) own.push_back(lane);
  return own;
}

Lanes make_lanes(std::int64_t lanes, int world_size) {
  if (lanes == 0) return {.count = world_size, .ordered = false};
  if (lanes < world_size) {
    throw UsageError(concat(world_size, " ranks, but only ", lanes,
                            " lanes: a rank would have no work. Start at most as many ranks as "
                            "lanes, or raise --lanes"));
  }
  return {.count = lanes};
}

LaneSum::LaneSum(Collectives& collectives, Lanes lanes, std::int64_t size, at::ScalarType type,
                 at::Device device)
    : collectives_(collectives),
      lanes_(lanes),
      own_(lanes.of_rank(collectives.rank(), collectives.size())) {
  const auto options = at::TensorOptions().dtype(type).device(device);
  for (std::size_t i = 0; i < own_.size(); ++i) parts_.push_back(at::zeros({size}, options));
  if (!lanes_.ordered || collectives.size() == 1) return;
  foreign_.resize(static_cast<std::size_t>(lanes_.count));
  for (std::int64_t lane = 0; lane < lanes_.count; ++lane) {
    if (lane % collectives.size() != collectives.rank()) {
      foreign_[static_cast<std::size_t>(lane)] =
          at::empty_like(slice(parts_.front(), collectives.rank()));
    }
  }
}

void LaneSum::zero() {
  for (at::Tensor& part : parts_) part.zero_();
}

at::Tensor rank_slice(const at::Tensor& vector, int rank, int ranks) {
  constexpr std::int64_t kAlignment = 16;  // elements, so that slices stay aligned
  const std::int64_t whole = vector.numel();
  const std::int64_t length =
      ((whole + ranks - 1) / ranks + kAlignment - 1) / kAlignment * kAlignment;
  const std::int64_t begin = std::min(rank * length, whole);
  return vector.narrow(0, begin, std::min(length, whole - begin));
}

const at::Tensor& LaneSum::reduce() {
  if (!sum_.defined()) sum_ = at::empty_like(parts_.front());
  if (is_unsliced()) {
    add_parts(sum_);
    if (collectives_.size() > 1) collectives_.all_reduce_sum(as_buffer(sum_));
    return sum_;
  }
  const int rank = collectives_.rank();
  const at::Tensor mine = slice(sum_, rank);
  add_slices(mine);
  std::vector<Transfer> sends, receives;
  for (int peer = 0; peer < collectives_.size(); ++peer) {
    if (peer == rank) continue;
    sends.push_back({peer, as_buffer(mine)});
    receives.push_back({peer, as_buffer(slice(sum_, peer))});
  }
  collectives_.exchange(sends, receives);
  return sum_;
}

// No slices: one rank, or no order is requested.
bool LaneSum::is_unsliced() const { return !lanes_.ordered || collectives_.size() == 1; }

void LaneSum::add_parts(const at::Tensor& sum) const {
  sum.copy_(parts_[0]);
  for (std::size_t i = 1; i < parts_.size(); ++i) sum.add_(parts_[i]);
}

// Each rank adds up its own slice, for which it gets that slice of every lane.
void LaneSum::add_slices(at::Tensor mine) const {
  const int rank = collectives_.rank(), ranks = collectives_.size();
  std::vector<Transfer> sends, receives;
  for (int peer = 0; peer < ranks; ++peer) {
    if (peer == rank) continue;
    for (const at::Tensor& part : parts_) sends.push_back({peer, as_buffer(slice(part, peer))});
  }
  for (std::int64_t lane = 0; lane < lanes_.count; ++lane) {
    const int owner = static_cast<int>(lane % ranks);
    if (owner != rank)
      receives.push_back({owner, as_buffer(foreign_[static_cast<std::size_t>(lane)])});
  }
  collectives_.exchange(sends, receives);

  for (std::int64_t lane = 0; lane < lanes_.count; ++lane) {
    const bool own = lane % ranks == rank;
    const at::Tensor part = own ? slice(parts_[static_cast<std::size_t>(lane / ranks)], rank)
                                : foreign_[static_cast<std::size_t>(lane)];
    if (lane == 0) {
      mine.copy_(part);
    } else {
      mine.add_(part);
    }
  }
}

}  // namespace palimpsest
