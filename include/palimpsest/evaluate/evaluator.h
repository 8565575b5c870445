#pragma once
// Accuracy over all classes seen, by what a classifier answers; no task identity.
#include <cstdint>
#include <span>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// Collective. Test sets of `tasks` (those seen) under these weights, by a classifier's scores over
// their classes. Chunks of --evaluation-batch samples are distributed over the ranks:
// every sample is counted once. The same counts on every rank. Throws Stopped, on every rank alike,
// between two rounds of chunks.
EvaluationRow evaluate(Session& session, const AdaptedWeights& weights, std::span<const Task> tasks,
                       const ClassScores& scores);

// Collective. The scores of each of these samples under these weights: [samples, classes],
// row-major, on rank 0; empty elsewhere. Chunks, bits and Stopped as in evaluate().
std::vector<float> compute_logits(Session& session, const AdaptedWeights& weights,
                                  const LabelledSamples& samples, const ClassScores& scores);

}  // namespace palimpsest
