#include "palimpsest/data/jpeg.h"

#include <turbojpeg.h>

#include <memory>
#include <string>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

void decode_jpeg(std::span<const std::byte> file, std::int64_t height, std::int64_t width,
                 std::uint8_t* pixels) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), &tjDestroy);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(file.data());
  const auto refuse = [&](const std::string& found) {
    throw InputError(concat("expected a JPEG file of ", width, " x ", height, " pixels, found ",
                            found, ". Pack the images again"));
  };
  // Warnings, as of stray bytes between markers, are ignored, as Pillow did when the pack was made.
  const auto failed = [&](int result) {
    return result != 0 && tjGetErrorCode(decoder.get()) == TJERR_FATAL;
  };
  int found_width = 0, found_height = 0, subsampling = 0, colours = 0;
  if (failed(tjDecompressHeader3(decoder.get(), bytes, file.size(), &found_width, &found_height,
                                 &subsampling, &colours))) {
    refuse(tjGetErrorStr2(decoder.get()));
  }
  if (found_width != width || found_height != height) {
    refuse(concat(found_width, " x ", found_height));
  }
  if (failed(tjDecompress2(decoder.get(), bytes, file.size(), pixels, found_width, 0, found_height,
                           TJPF_RGB, TJFLAG_ACCURATEDCT))) {
    refuse(tjGetErrorStr2(decoder.get()));
  }
}

}  // namespace palimpsest
