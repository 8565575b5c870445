#include "palimpsest/data/pixel_source.h"

#include <ATen/ATen.h>

#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/jpeg.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

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
  if (const auto found = kept_.find(image.sample); found != kept_.end()) return found->second;
  const at::Tensor pixels = queued_copy(on_host(image), device_);
  if (pixels.nbytes() <= room_) {
    room_ -= pixels.nbytes();
    kept_.emplace(image.sample, pixels);
  }
  return pixels;
}

}  // namespace palimpsest
