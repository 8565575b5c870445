#pragma once
// Seconds that ranks spend on what they send to one another, by the alpha-beta model on two levels:
// ranks of a node, and nodes.
#include <cstdint>

#include "palimpsest/plan/machine.h"

namespace palimpsest {

struct ExchangeCost {
  double latency = 0;   // however small the messages were
  double transfer = 0;  // bytes over bandwidth
  double seconds() const { return latency + transfer; }
};

// Bytes that a rank sends to add vectors of `bytes` bytes, one from each lane: slices of its lanes
// to the ranks that add them up, then the sum of the rank's slice to all others. Not ordered: one
// all-reduce.
double exchanged_bytes(double bytes, std::int64_t lanes, std::int64_t ranks, bool ordered);

// LaneSum::reduce() of ordered lanes: two exchanges. In the first a rank sends each other rank one
// slice of every lane that it has, in the second the sum of its slice. The messages of an exchange
// are on their way together: they share bandwidth, and wait for one latency. Between nodes they
// meet at the receivers, which over MPI costs up to twice the time. The rank with the most lanes
// sets the pace.
ExchangeCost ordered_exchange(double bytes, std::int64_t lanes, std::int64_t ranks,
                              const Machine& machine);

// One all-reduce of `bytes` bytes, in log2 N rounds between ranks 1, 2, 4, ... apart. Over MPI each
// round exchanges all of them: that is what Open MPI 4.1 was measured to do on up to 8 ranks. On
// accelerators, for NCCL: 1/2, 1/4, 1/8, ... of them, and the same way back.
ExchangeCost all_reduce(double bytes, std::int64_t ranks, const Machine& machine);

// A vector of `bytes` bytes of every rank, of which each part goes to the rank that keeps its
// module. One owner receives from one rank at a time; that others do meanwhile is not counted on.
ExchangeCost to_owners(double bytes, std::int64_t ranks, const Machine& machine);

// One number that all ranks learn: log2 N rounds (recursive doubling).
ExchangeCost agreement(std::int64_t ranks, const Machine& machine);

}  // namespace palimpsest
