#pragma once
// Images that stay on a device while there is room for them.
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

namespace palimpsest {

class ImageCache {
 public:
  // `room`: bytes of the device for images.
  explicit ImageCache(std::size_t room) : capacity_(room), room_(room) {}

  // Images that were last used before the current task make room for others, those used longest ago
  // first. Images of the current task stay, since its passes read the same ones in turn.
  void begin_task() { ++task_; }

  bool contains(std::int64_t sample) const { return images_.contains(sample); }
  // Counts as a use.
  std::optional<at::Tensor> find(std::int64_t sample);
  // Does nothing where no room can be made. `sample`: none that it contains.
  void keep(std::int64_t sample, const at::Tensor& pixels);

 private:
  struct Image {
    std::int64_t sample;
    at::Tensor pixels;
    std::int64_t task;  // in which it was used last
  };

  std::size_t capacity_, room_;
  std::int64_t task_ = 0;
  std::list<Image> by_use_;  // used longest ago first
  std::unordered_map<std::int64_t, std::list<Image>::iterator> images_;
};

}  // namespace palimpsest
