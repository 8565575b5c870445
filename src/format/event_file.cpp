#include "palimpsest/format/event_file.h"

#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <span>

#include "palimpsest/core/hash.h"

namespace palimpsest {
namespace {

constexpr std::uint64_t kLongest = 1 << 26;  // a longer one is a damaged length

std::uint32_t checksum(std::string_view data) {
  return std::rotr(crc32c(std::as_bytes(std::span(data))), 15) + 0xa282ead8;
}

// As it lies in memory: little-endian, as everything that is written.
template <typename Number>
std::string to_bytes(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

// A record's data, once `file` has them all and they are what was written.
bool skip_record(std::ifstream& file, std::string& data) {
  std::array<char, 12> head{};
  if (!file.read(head.data(), head.size())) return false;
  const std::string_view length_bytes(head.data(), 8);
  if (std::string_view(head.data() + 8, 4) != to_bytes(checksum(length_bytes))) return false;
  std::uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof length);
  if (length > kLongest) return false;
  data.resize(length + 4);
  if (!file.read(data.data(), static_cast<std::streamsize>(data.size()))) return false;
  const std::string_view text(data);
  return text.substr(length) == to_bytes(checksum(text.substr(0, length)));
}

}  // namespace

std::string event_record(std::string_view data) {
  const std::string length = to_bytes(std::uint64_t{data.size()});
  return length + to_bytes(checksum(length)) + std::string(data) + to_bytes(checksum(data));
}

std::vector<std::int64_t> record_ends(const std::filesystem::path& path) {
  std::vector<std::int64_t> ends;
  std::ifstream file(path, std::ios::binary);
  std::int64_t bytes = 0;
  for (std::string data; skip_record(file, data);) {
    bytes += 12 + static_cast<std::int64_t>(data.size());
    ends.push_back(bytes);
  }
  return ends;
}

}  // namespace palimpsest
