#pragma once
// What the verbs on saved weights have in common.
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "palimpsest/continual/saved_weights.h"

namespace palimpsest {

inline constexpr std::string_view kWeightsHelp =
    "a run folder (its newest state), a state of one, or what palimpsest merge --out wrote";

// The settings of saved weights, with what the command line changes. A setting that `verb` has no
// use for is refused by name on the command line and passed over in a --config file. `needed`:
// names of settings that may not be empty. Throws UsageError where one is.
RunConfig evaluation_settings(const SavedWeights& saved, std::span<const std::string> arguments,
                              std::string_view verb, std::initializer_list<const char*> needed);

}  // namespace palimpsest
