#pragma once
// A command's own options among the settings of a run.
#include <boost/program_options/options_description.hpp>
#include <span>
#include <string>
#include <vector>

namespace palimpsest {

// Stores what `options` knows where they say, and returns the other arguments, in order. Throws
// UsageError.
std::vector<std::string> take_own_options(
    const boost::program_options::options_description& options,
    std::span<const std::string> arguments);

}  // namespace palimpsest
