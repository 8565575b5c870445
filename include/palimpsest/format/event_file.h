#pragma once
// The records of which TensorBoard's event files (events.out.tfevents.*) are made.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

// Length (u64), its checksum, the data, their checksum; little-endian. A checksum is a CRC-32C,
// rotated and shifted so that data with checksums in them can be checked again.
std::string event_record(std::string_view data);

// Where the whole records at the file's beginning end, in bytes from its start: up to the first
// that is cut short or damaged. Empty for a file that is missing or has none.
std::vector<std::int64_t> record_ends(const std::filesystem::path& file);

}  // namespace palimpsest
