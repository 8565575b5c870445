#pragma once
// How well the model predicts the completions of samples, each seen once, with its completion.
#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/session/session.h"

namespace palimpsest {

// Of every sample, split after split.
struct PredictedSamples {
  std::vector<std::int64_t> tokens;     // of its completions
  std::vector<std::int64_t> likeliest;  // those of them that greedy decoding would choose
  std::vector<double> losses;           // summed over them, in nats
};

// Collective; the model as it is. Samples of splits of a pack of sequences. The same numbers on
// every rank, and at every number of ranks. Throws Stopped, on every rank alike, between two rounds
// of chunks.
PredictedSamples predict_completions(Session& session, const Pack& pack,
                                     std::span<const LabelledSamples* const> splits);

}  // namespace palimpsest
