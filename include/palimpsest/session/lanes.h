#pragma once
// Lanes: the global batch is split into L lanes, lane i belongs to rank i mod N, and what the lanes
// computed is added in lane order. So the sum has the same bits at every world size N <= L.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "palimpsest/comm/collectives.h"

namespace palimpsest {

struct Lanes {
  std::int64_t count = 1;
  // False for --lanes ranks: one lane a rank, one all-reduce, bits that are the same at this world
  // size only.
  bool ordered = true;

  // The lanes of one rank.
  std::vector<std::int64_t> of_rank(int rank, int world_size) const;
};

// Of --lanes; 0: one lane a rank. Throws UsageError when there are fewer lanes than ranks.
Lanes make_lanes(std::int64_t lanes, int world_size);

// The slice of a vector that a rank adds up: all of it where there is one rank.
at::Tensor rank_slice(const at::Tensor& vector, int rank, int ranks);

// One vector per lane of this rank, and their sum over all lanes of all ranks.
class LaneSum {
 public:
  // Vectors of `size` elements, float32 or float64. Throws UsageError when there are fewer lanes
  // than ranks.
  LaneSum(Collectives& collectives, Lanes lanes, std::int64_t size, at::ScalarType type,
          at::Device device);

  const std::vector<std::int64_t>& own_lanes() const { return own_; }
  // The vector of own_lanes()[i].
  const at::Tensor& part(std::size_t i) const { return parts_[i]; }
  void zero();

  // Collective. The sum, the same on every rank; valid until the next call.
  const at::Tensor& reduce();

 private:
  bool is_unsliced() const;
  void add_parts(const at::Tensor& sum) const;
  void add_slices(at::Tensor mine) const;
  at::Tensor slice(const at::Tensor& vector, int rank) const {
    return rank_slice(vector, rank, collectives_.size());
  }

  Collectives& collectives_;
  Lanes lanes_;
  std::vector<std::int64_t> own_;
  std::vector<at::Tensor> parts_;    // by own lane
  std::vector<at::Tensor> foreign_;  // by lane: this rank's slice of another rank's lane
  at::Tensor sum_;
};

}  // namespace palimpsest
