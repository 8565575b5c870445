#pragma once
// The settings of saved weights, with what the command line changes.
#include <initializer_list>
#include <span>
#include <string>

#include "palimpsest/continual/saved_weights.h"

namespace palimpsest {

// `needed`: names of settings that may not be empty. Throws UsageError where one is.
RunConfig settings_of(const SavedWeights& saved, std::span<const std::string> arguments,
                      std::initializer_list<const char*> needed);

}  // namespace palimpsest
