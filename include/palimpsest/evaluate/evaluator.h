#pragma once
// Accuracy over all classes seen, by what a classifier answers; no task identity.
#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// The place of the first of the tasks seen that is tested after the newest of them (--evaluate), or
// before its merge (--evaluate-before-merge): 0, or that of the newest. tasks: of the stream.
std::size_t first_tested(const RunConfig& config, std::size_t seen, std::size_t tasks,
                         bool before_merge);

// Collective. Test sets of `tasks` (those seen) from `first` on under these weights, by the scores
// of classifiers over their classes: a row for each. Of sequences one row, by how the model
// predicts their completions. Every sample passes through the model once. Chunks of
// --evaluation-batch samples are distributed over the ranks: every sample is counted once. The same
// counts on every rank. Throws Stopped, on every rank alike, between two rounds of chunks.
std::vector<EvaluationRow> evaluate(Session& session, const AdaptedWeights& weights,
                                    std::span<const Task> tasks,
                                    std::span<const ClassScores> classifiers,
                                    std::size_t first = 0);

// Collective. Of the pretrained weights on the text of --general, which there is. The model has the
// same weights afterwards.
TextLoss loss_before_stream(Session& session);

// Collective. The scores of each of these samples under these weights, by each classifier, all of
// which know as many classes: [samples, classes], row-major, on rank 0; empty elsewhere. Chunks,
// bits and Stopped as in evaluate().
std::vector<std::vector<float>> compute_scores(Session& session, const AdaptedWeights& weights,
                                               const LabelledSamples& samples,
                                               std::span<const ClassScores> classifiers);

}  // namespace palimpsest
