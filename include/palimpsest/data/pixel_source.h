#pragma once
// The pixels of a pack's images where they are transformed. On a device images stay while there is
// room, so that a stream that fits is read and decoded once.
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "palimpsest/data/image_cache.h"
#include "palimpsest/device/streams.h"
#include "palimpsest/format/pack.h"

namespace palimpsest {

class PixelSource {
 public:
  // `room`: bytes of the device for images.
  explicit PixelSource(at::Device device, std::size_t room = 0)
      : device_(device), beside_(device), cache_(room) {}

  at::Device device() const { return device_; }
  // The queue that images are transformed on, always: one that stays may be read on no other.
  SideStream& beside() { return beside_; }

  // What stays on the device.
  ImageCache& cache() { return cache_; }

  // uint8 [height, width, 3]; in host memory a view of the pack where it has pixels. Throws
  // InputError for a JPEG file that does not decode to the size that the pack states.
  at::Tensor operator()(const PackedImage& image);

 private:
  at::Device device_;
  SideStream beside_;
  ImageCache cache_;
};

}  // namespace palimpsest
