#pragma once
// What an HDF5 file of Palimpsest says, for programs.
#include <filesystem>
#include <string>

namespace palimpsest {

// Every number, text and list of the file as one JSON object, under the names in its path:
// {"merge": {"rule": {...}, "numerator": 0.5}} of /merge/rule and /merge@numerator. Without
// weights, memory and arrays of several dimensions; texts that are JSON objects, as those. Throws
// InputError as readers of records do; the content hash isn't checked.
std::string file_as_json(const std::filesystem::path& path);

}  // namespace palimpsest
