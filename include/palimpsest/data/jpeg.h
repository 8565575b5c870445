#pragma once
// JPEG files to pixels.
#include <cstddef>
#include <cstdint>
#include <span>

namespace palimpsest {

// Writes uint8 RGB [height, width, 3] to `pixels`, which has room for it. Throws InputError when
// the file is damaged or of another size.
void decode_jpeg(std::span<const std::byte> file, std::int64_t height, std::int64_t width,
                 std::uint8_t* pixels);

}  // namespace palimpsest
