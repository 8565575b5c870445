#pragma once
// Accuracy over all classes seen: argmax over the concatenated logits of every task's head, no task
// identity.
#include <cstdint>
#include <span>

#include "palimpsest/format/records.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// Collective. Test sets of `tasks` (those seen) under these weights; heads[j] belongs to tasks[j],
// or the only head to all of them. Chunks of --evaluation-batch samples are dealt over the ranks:
// every sample is counted once. The same counts on every rank. Throws Stopped, on every rank alike,
// between two rounds of chunks.
EvaluationRow evaluate(Session& session, const AdaptedWeights& weights, std::span<const Task> tasks,
                       std::span<const Head> heads);

// Collective. The logits of the heads side by side, for each of these samples under these weights:
// [samples, classes], row-major, on rank 0; empty elsewhere. Chunks, bits and Stopped as in
// evaluate().
std::vector<float> logits_of(Session& session, const AdaptedWeights& weights,
                             const LabelledSamples& samples, std::span<const Head> heads);

}  // namespace palimpsest
