#pragma once
// A small file written and read exactly as a record is: what palimpsest doctor tries in a folder
// before a run does.
#include <filesystem>
#include <string>
#include <string_view>

namespace palimpsest {

// Of the library in use: "1.10.8".
std::string hdf5_version();

// Through HDF5 and AtomicFile; takes the place of a file that is there. Throws Error.
void write_probe_file(const std::filesystem::path& path, std::string_view content);

// What was written. HDF5 locks the file for reading. Throws InputError.
std::string read_probe_file(const std::filesystem::path& path);

}  // namespace palimpsest
