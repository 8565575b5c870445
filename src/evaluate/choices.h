#pragma once
// Which of several completions a decoder finds likeliest after a prompt.
#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/session/session.h"

namespace palimpsest {

// Collective; the model as it is. samples: of the session's pack, each with one of the candidates
// as its last completion. For each whether this is the likeliest of them: by the sum of the
// logarithms of its tokens' probabilities after the sample's prompt; of equals the first. The same
// on every rank, and at every number of ranks. Throws Stopped, on every rank alike, between two
// rounds of samples.
std::vector<bool> chosen_by_likelihood(Session& session, std::span<const std::int64_t> samples,
                                       std::span<const std::vector<std::int64_t>> candidates);

}  // namespace palimpsest
