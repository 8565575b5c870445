#pragma once
// Where a run's inputs are. run.json has their absolute paths ("config"), and the same paths from
// the run folder ("relative_paths"), for a run folder that is moved together with its data.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace palimpsest {

using InputPaths = std::map<std::string, std::string>;  // of pack, protocol, backbone, general

// From the run folder. What has no such path is left out.
InputPaths relative_to_run(const std::filesystem::path& run_folder, const InputPaths& absolute);

// The recorded paths; where nothing is there and something is at the relative one, that. Empty
// without run.json. Throws InputError where run.json is damaged.
InputPaths find_inputs(const std::filesystem::path& run_folder);

// What to say of an input that is at neither: "expected the run's pack at ...".
std::string missing_input(std::string_view setting, std::string_view recorded);

}  // namespace palimpsest
