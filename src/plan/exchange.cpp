#include "palimpsest/plan/exchange.h"

#include <algorithm>
#include <bit>

#include "counts.h"

namespace palimpsest {
namespace {

// ceil(log2(count)).
int rounds(std::int64_t count) {
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(count - 1)));
}

// Latencies that a message waits for: a long one asks and is answered first.
double trips(double bytes, const Machine& machine) { return bytes > machine.eager_bytes ? 3 : 1; }

// Round k = 0, 1, ... of a doubling is between ranks 2^k apart. Ranks are packed into nodes.
bool is_inside(int round, const Machine& machine) {
  return (std::int64_t{1} << round) < machine.ranks_per_node;
}

double message_latency(int round, double bytes, const Machine& machine) {
  const Link& link = is_inside(round, machine) ? machine.node : machine.network;
  return trips(bytes, machine) * link.latency + machine.message_overhead;
}

// Ranks of a node that send through one adapter at a time.
double sharing(std::int64_t ranks, const Machine& machine) {
  return machine.adapter_for_each_rank ? 1 : number(std::min(ranks, machine.ranks_per_node));
}

// One message of `bytes` bytes in every round.
double latency_of_rounds(double bytes, std::int64_t ranks, const Machine& machine) {
  double seconds = 0;
  for (int round = 0; round < rounds(ranks); ++round) {
    seconds += message_latency(round, bytes, machine);
  }
  return seconds;
}

// How much longer than its bytes over bandwidth an exchange among many takes over MPI: chosen after
// the simulated network (tests/network), where it was 1.5 to 1.9 on 3 to 8 ranks. It is what
// follows if all send to the same rank first and to the same one last. NCCL is taken to send in
// turn.
double contention(std::int64_t ranks, const Machine& machine) {
  return machine.accelerator ? 1 : 2 - 1 / number(ranks - 1);
}

// Every rank sends every other one `count` messages of `bytes` bytes.
ExchangeCost all_to_all(std::int64_t count, double bytes, std::int64_t ranks,
                        const Machine& machine) {
  const std::int64_t inside = std::min(ranks, machine.ranks_per_node);
  const double to_node = number(count * (inside - 1)) * bytes;
  const double to_network = number(count * (ranks - inside)) * bytes * sharing(ranks, machine);
  const double latency = ranks > inside ? machine.network.latency : machine.node.latency;
  return {
      .latency =
          trips(bytes, machine) * latency + number(count * (ranks - 1)) * machine.message_overhead,
      .transfer = std::max(to_node / machine.node.bandwidth,
                           to_network / machine.network.bandwidth * contention(ranks, machine))};
}

}  // namespace

double exchanged_bytes(double bytes, std::int64_t lanes, std::int64_t ranks, bool ordered) {
  const double others = number(ranks - 1) / number(ranks);
  const double own = ordered ? number(rounded_up(lanes, ranks)) : 1;
  return bytes * others * (own + 1);
}

ExchangeCost ordered_exchange(double bytes, std::int64_t lanes, std::int64_t ranks,
                              const Machine& machine) {
  if (ranks == 1) return {};
  const double slice = bytes / number(ranks);
  const ExchangeCost parts = all_to_all(rounded_up(lanes, ranks), slice, ranks, machine);
  const ExchangeCost sums = all_to_all(1, slice, ranks, machine);
  return {parts.latency + sums.latency, parts.transfer + sums.transfer};
}

ExchangeCost all_reduce(double bytes, std::int64_t ranks, const Machine& machine) {
  ExchangeCost cost;
  const double times = machine.accelerator ? 2 : 1;
  for (int round = 0; round < rounds(ranks); ++round) {
    if (machine.accelerator) bytes /= 2;
    const bool inside = is_inside(round, machine);
    const double sent = inside ? bytes : bytes * sharing(ranks, machine);
    cost.latency += times * message_latency(round, bytes, machine);
    cost.transfer += times * sent / (inside ? machine.node : machine.network).bandwidth;
  }
  return cost;
}

ExchangeCost agreement(std::int64_t ranks, const Machine& machine) {
  return {.latency = latency_of_rounds(sizeof(std::int64_t), ranks, machine), .transfer = 0};
}

ExchangeCost broadcast(double bytes, std::int64_t ranks, const Machine& machine) {
  if (ranks == 1) return {};
  // A chain of ranks crosses every adapter once, whoever shares it.
  const Link& slowest = ranks > machine.ranks_per_node ? machine.network : machine.node;
  return {.latency = latency_of_rounds(bytes, ranks, machine),
          .transfer = bytes / slowest.bandwidth};
}

}  // namespace palimpsest
