#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "planning.h"

namespace palimpsest {
namespace {

// A setting that a run may change to need less memory.
struct Saving {
  std::string text;
  std::function<void(Workload&)> apply;
};

// Those that the work doesn't have yet: of each inner list one. More lanes are smaller ones.
std::vector<std::vector<Saving>> savings_left(const Workload& work, std::int64_t ranks) {
  std::vector<std::vector<Saving>> all;
  if (!work.bf16) all.push_back({{"--precision bf16", [](Workload& w) { w.bf16 = true; }}});
  if (!work.activation_checkpointing && work.rank > 0)
    all.push_back(
        {{"--activation-checkpointing", [](Workload& w) { w.activation_checkpointing = true; }}});
  if (!work.shard_memory && work.can_shard && ranks > 1 && ranks <= work.modules)
    all.push_back({{"--shard-memory", [](Workload& w) { w.shard_memory = true; }}});
  std::vector<Saving> lanes;
  for (std::int64_t count = 2 * over_ranks(work, ranks).lanes; count <= work.batch; count *= 2)
    lanes.push_back({concat("--lanes ", count), [count](Workload& w) {
                       w.lanes = count;
                       w.ordered = true;
                     }});
  if (!lanes.empty()) all.push_back(std::move(lanes));
  return all;
}

// Calls visit(work, texts) for the work with every choice of savings, at most one of each kind.
template <typename Visit>
void for_each_choice(std::span<const std::vector<Saving>> kinds, const Workload& work,
                     const std::vector<std::string>& texts, const Visit& visit) {
  if (kinds.empty()) return visit(work, texts);
  for_each_choice(kinds.subspan(1), work, texts, visit);
  for (const Saving& saving : kinds.front()) {
    Workload changed = work;
    saving.apply(changed);
    std::vector<std::string> more = texts;
    more.push_back(saving.text);
    for_each_choice(kinds.subspan(1), changed, more, visit);
  }
}

}  // namespace

std::string saving_sentence(const Workload& work, std::int64_t ranks, bool on_device, double peak,
                            double room) {
  const double now = counted_memory(work, ranks, on_device).peak(on_device);
  std::vector<std::string> fewest;
  double least = peak;
  Workload smallest = work;
  for_each_choice(savings_left(work, ranks), work, {},
                  [&](const Workload& changed, const std::vector<std::string>& texts) {
                    const double needed =
                        peak - now + counted_memory(changed, ranks, on_device).peak(on_device);
                    if (needed < least) {
                      least = needed;
                      smallest = changed;
                    }
                    if (needed < room && (fewest.empty() || texts.size() < fewest.size()))
                      fewest = texts;
                  });
  if (!fewest.empty()) return concat("; with ", join(fewest, " and "), " they are.");
  const CountedMemory parts = counted_memory(smallest, ranks, on_device);
  return concat(
      "; with --precision bf16, --activation-checkpointing",
      smallest.shard_memory ? ", --shard-memory" : "", " and more lanes it takes ",
      byte_count(least), ", of which ", byte_count(parts.weights), " are weights and ",
      byte_count(std::max(parts.optimizer, parts.fisher)),
      " the optimizer or the Fisher: adapt fewer matrices (targets of --adapter), or take "
      "a smaller backbone.");
}

}  // namespace palimpsest
