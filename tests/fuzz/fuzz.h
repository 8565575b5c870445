#pragma once
// What the fuzz targets of this folder share. A target is one parser of ours: whatever the bytes,
// it reads them or refuses them as bad input; anything else (a crash, another error, memory
// requested that the input cannot fill) is a finding.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "palimpsest/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace palimpsest {

// The input as a file called `name`, in a folder of this process. Parsers take paths.
std::filesystem::path input_file(const char* name, std::string_view bytes);

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Runs the parser. Refusals are fine.
template <typename Body>
void reads_or_refuses(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadInput && error.code() != ExitCode::kUsage) throw;
  }
}

// Takes an input apart, for targets whose input says what to do. Zeros behind its end.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  std::uint8_t next() {
    if (done()) return 0;
    const std::uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  // Below `end`.
  std::size_t below(std::size_t end) { return (next() * std::size_t{256} + next()) % end; }
  std::span<const std::uint8_t> take(std::size_t count) {
    const auto taken = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace palimpsest
