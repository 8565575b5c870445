#include "palimpsest/data/pixel_source.h"

#include <ATen/ATen.h>
#include <turbojpeg.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

// Writes uint8 RGB [height, width, 3] to `pixels`. Throws InputError when the file is damaged or of
// another size.
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

at::Tensor on_host(const PackedImage& image) {
  const std::vector<std::int64_t> shape{image.height, image.width, 3};
  if (!image.jpeg) {
    return at::from_blob(const_cast<std::byte*>(image.bytes.data()), shape, at::kByte);  // NOLINT
  }
  at::Tensor pixels = at::empty(shape, at::kByte);
  try {
    decode_jpeg(image.bytes, image.height, image.width, pixels.mutable_data_ptr<std::uint8_t>());
  } catch (const InputError& error) {
    throw InputError(concat("sample ", image.sample, " of the pack: ", error.what()));
  }
  return pixels;
}

}  // namespace

at::Tensor PixelSource::operator()(const PackedImage& image) {
  if (device_.is_cpu()) return on_host(image);
  if (const auto found = cache_.find(image.sample)) return *found;
  const at::Tensor pixels = queued_copy(on_host(image), device_);
  cache_.keep(image.sample, pixels);
  return pixels;
}

}  // namespace palimpsest
