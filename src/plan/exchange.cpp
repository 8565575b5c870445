#include "palimpsest/plan/exchange.h"

#include <algorithm>

#include "palimpsest/plan/workload.h"

namespace palimpsest {
namespace {

// Latencies that a message waits for: a long one needs a handshake.
double trips(double bytes, const Machine& machine) { return bytes > machine.eager_bytes ? 3 : 1; }

// Ranks of a node that send through one adapter at a time.
double sharing(double ranks, const Machine& machine) {
  return machine.adapter_for_each_rank ? 1 : std::min(ranks, machine.ranks_per_node);
}

// Every rank sends every other one `count` messages of `bytes` bytes. Over MPI it takes longer than
// its bytes over bandwidth: chosen after the simulated network (tests/network), where it was 1.5 to
// 1.9 on 3 to 8 ranks; it is what follows if all send to the same rank first and to the same one
// last. NCCL is taken to send in turn.
ExchangeCost all_to_all(double count, double bytes, double ranks, const Machine& machine) {
  const double inside = std::min(ranks, machine.ranks_per_node);
  const double to_node = count * (inside - 1) * bytes;
  const double to_network = count * (ranks - inside) * bytes * sharing(ranks, machine);
  const double contention = machine.accelerator ? 1 : 2 - 1 / (ranks - 1);
  const double latency = ranks > inside ? machine.network_latency : machine.node_latency;
  return {
      .latency = trips(bytes, machine) * latency + count * (ranks - 1) * machine.message_overhead,
      .transfer = std::max(to_node / machine.node_bandwidth,
                           to_network / machine.network_bandwidth * contention)};
}

// Rounds between ranks 1, 2, 4, ... apart, packed into nodes. `halving`: each sends half of the
// bytes of the one before.
ExchangeCost rounds(double bytes, std::int64_t ranks, bool halving, const Machine& machine) {
  ExchangeCost cost;
  for (std::int64_t apart = 1; apart < ranks; apart *= 2) {
    if (halving) bytes /= 2;
    const bool inside = static_cast<double>(apart) < machine.ranks_per_node;
    cost.latency +=
        machine.message_overhead +
        trips(bytes, machine) * (inside ? machine.node_latency : machine.network_latency);
    cost.transfer +=
        inside ? bytes / machine.node_bandwidth
               : bytes * sharing(static_cast<double>(ranks), machine) / machine.network_bandwidth;
  }
  return cost;
}

}  // namespace

double exchanged_bytes(double bytes, std::int64_t lanes, std::int64_t ranks, bool ordered) {
  const double others = static_cast<double>(ranks - 1) / static_cast<double>(ranks);
  const double own = ordered ? static_cast<double>(largest_share(lanes, ranks)) : 1;
  return bytes * others * (own + 1);
}

ExchangeCost ordered_exchange(double bytes, std::int64_t lanes, std::int64_t ranks,
                              const Machine& machine) {
  if (ranks == 1) return {};
  const auto count = static_cast<double>(ranks);
  const auto own = static_cast<double>(largest_share(lanes, ranks));
  const ExchangeCost parts = all_to_all(own, bytes / count, count, machine);
  const ExchangeCost sums = all_to_all(1, bytes / count, count, machine);
  return {parts.latency + sums.latency, parts.transfer + sums.transfer};
}

ExchangeCost all_reduce(double bytes, std::int64_t ranks, const Machine& machine) {
  const ExchangeCost cost = rounds(bytes, ranks, machine.accelerator, machine);
  const double ways = machine.accelerator ? 2 : 1;  // to and fro
  return {ways * cost.latency, ways * cost.transfer};
}

ExchangeCost to_owners(double bytes, std::int64_t ranks, const Machine& machine) {
  const auto others = static_cast<double>(ranks - 1);
  const double inside = std::min(static_cast<double>(ranks), machine.ranks_per_node) - 1;
  return {.transfer = bytes * (inside / machine.node_bandwidth +
                               (others - inside) / machine.network_bandwidth)};
}

ExchangeCost agreement(std::int64_t ranks, const Machine& machine) {
  return {.latency = rounds(sizeof(std::int64_t), ranks, false, machine).latency};
}

}  // namespace palimpsest
