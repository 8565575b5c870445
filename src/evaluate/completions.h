#pragma once
// How well a decoder predicts the completions of test sets.
#include <cstdint>
#include <span>

#include "palimpsest/core/evaluation_row.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// Collective. Test sets of `tasks` (those seen) from `first` on, with the model as it is. Every
// sample passes through it once, with its completion: a completion is what greedy decoding writes
// if, and only if, each of its tokens is the likeliest after those before it. The same numbers on
// every rank, and at every number of ranks. Throws Stopped as evaluate().
EvaluationRow evaluate_completions(Session& session, std::span<const Task> tasks,
                                   std::size_t first);

}  // namespace palimpsest
