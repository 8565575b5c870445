#pragma once
// A large vector summed over all lanes, for rank 0 alone. The lanes run in rounds, one lane of each
// rank at a time, so that a rank keeps its running lane and its slice of the total however many
// lanes it has. Lanes are added in their order: the same bits at every world size.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "palimpsest/session/lanes.h"

namespace palimpsest {

class LaneRounds {
 public:
  // Float64 vectors of `size` elements.
  LaneRounds(Collectives& collectives, std::int64_t lanes, std::int64_t size, at::Device device);

  // As long as there is a round: its lane of this rank, none where the lanes of the round are fewer
  // than the ranks.
  bool has_round() const { return first_ < lanes_; }
  std::optional<std::int64_t> lane() const;
  // The vector of this round's lane, zero when the round begins.
  const at::Tensor& part() const { return part_; }

  // Collective. Adds the round's lanes, in order, to the total, and goes to the next round.
  void finish_round();

  // Collective, after the last round. The total on rank 0; undefined elsewhere. Frees the rest.
  at::Tensor take_total();

 private:
  int lanes_in_round() const;

  Collectives& collectives_;
  std::int64_t lanes_ = 0, first_ = 0;  // of the round
  at::Tensor part_;
  at::Tensor received_;  // by rank: this rank's slice of that rank's lane
  at::Tensor total_;     // this rank's slice
};

}  // namespace palimpsest
