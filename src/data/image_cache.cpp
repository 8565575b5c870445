#include "palimpsest/data/image_cache.h"

#include <ATen/ATen.h>

namespace palimpsest {

std::optional<at::Tensor> ImageCache::find(std::int64_t sample) {
  const auto found = images_.find(sample);
  if (found == images_.end()) return std::nullopt;
  const auto image = found->second;
  image->task = task_;
  by_use_.splice(by_use_.end(), by_use_, image);
  return image->pixels;
}

void ImageCache::keep(std::int64_t sample, const at::Tensor& pixels) {
  if (pixels.nbytes() > capacity_) return;
  while (pixels.nbytes() > room_) {
    if (by_use_.empty() || by_use_.front().task == task_) return;
    room_ += by_use_.front().pixels.nbytes();
    images_.erase(by_use_.front().sample);
    by_use_.pop_front();
  }
  room_ -= pixels.nbytes();
  by_use_.push_back({sample, pixels, task_});
  images_.emplace(sample, std::prev(by_use_.end()));
}

}  // namespace palimpsest
