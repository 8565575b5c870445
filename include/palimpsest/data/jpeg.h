#pragma once
// JPEG files to pixels.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace palimpsest {

// uint8 RGB [height, width, 3]. Throws InputError when the file is damaged or of another size.
std::vector<std::uint8_t> decode_jpeg(std::span<const std::byte> file, std::int64_t height,
                                      std::int64_t width);

}  // namespace palimpsest
