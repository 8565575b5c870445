#include "palimpsest/train/lanes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/device/placement.h"

namespace palimpsest {

std::vector<std::int64_t> Lanes::of(int rank, int world_size) const {
  std::vector<std::int64_t> own;
  for (std::int64_t lane = rank; lane < count; lane += world_size) own.push_back(lane);
  return own;
}

LaneSum::LaneSum(Collectives& collectives, Lanes lanes, std::int64_t size, at::ScalarType type,
                 at::Device device)
    : collectives_(collectives),
      lanes_(lanes),
      own_(lanes.of(collectives.rank(), collectives.size())) {
  const auto options = at::TensorOptions().dtype(type).device(device);
  for (std::size_t i = 0; i < own_.size(); ++i) parts_.push_back(at::zeros({size}, options));
  sum_ = at::zeros({size}, options);
  if (!lanes_.ordered || collectives.size() == 1) return;
  foreign_.resize(static_cast<std::size_t>(lanes_.count));
  for (std::int64_t lane = 0; lane < lanes_.count; ++lane) {
    if (lane % collectives.size() != collectives.rank()) {
      foreign_[static_cast<std::size_t>(lane)] = at::empty_like(slice(sum_, collectives.rank()));
    }
  }
}

void LaneSum::zero() {
  for (at::Tensor& part : parts_) part.zero_();
}

at::Tensor LaneSum::slice(const at::Tensor& vector, int rank) const {
  constexpr std::int64_t kAlignment = 16;  // elements, so that slices stay aligned
  const std::int64_t whole = vector.numel(), ranks = collectives_.size();
  const std::int64_t length =
      ((whole + ranks - 1) / ranks + kAlignment - 1) / kAlignment * kAlignment;
  const std::int64_t begin = std::min(rank * length, whole);
  return vector.narrow(0, begin, std::min(length, whole - begin));
}

const at::Tensor& LaneSum::reduce() {
  const int rank = collectives_.rank(), ranks = collectives_.size();
  if (!lanes_.ordered || ranks == 1) {
    sum_.copy_(parts_[0]);
    for (std::size_t i = 1; i < parts_.size(); ++i) sum_.add_(parts_[i]);
    if (ranks > 1) collectives_.all_reduce_sum(as_buffer(sum_));
    return sum_;
  }

  // Each rank adds up its own slice, for which it needs that slice of every lane ...
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

  at::Tensor mine = slice(sum_, rank);
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

  // ... and hands the sum to the others.
  sends.clear();
  receives.clear();
  for (int peer = 0; peer < ranks; ++peer) {
    if (peer == rank) continue;
    sends.push_back({peer, as_buffer(mine)});
    receives.push_back({peer, as_buffer(slice(sum_, peer))});
  }
  collectives_.exchange(sends, receives);
  return sum_;
}

}  // namespace palimpsest
