#pragma once
// Which of several completions a decoder finds likeliest after a prompt.
#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/session/session.h"

namespace palimpsest {

// Collective; the model as it is. samples: of the session's pack. For each, whether its own last
// completion is the likeliest of all different last completions that these samples have: by the sum
// of the logarithms of its tokens' probabilities after the sample's prompt; of equals the one that
// comes first. The same on every rank, and at every number of ranks. Throws Stopped, on every rank
// alike, between two rounds of samples; InputError where a prompt with another sample's completion
// is longer than the backbone's positions.
std::vector<bool> chosen_by_likelihood(Session& session, std::span<const std::int64_t> samples);

}  // namespace palimpsest
