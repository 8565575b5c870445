#include "palimpsest/data/image_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

namespace palimpsest {
namespace {

using testing::ElementsAre;

class ImageCacheTest : public testing::Test {
 protected:
  static constexpr std::int64_t kBytes = 12;  // of an image

  void keep(std::int64_t sample) { cache_.keep(sample, at::zeros({2, 2, 3}, at::kByte)); }
  // What a pass over these images does.
  void pass(std::initializer_list<std::int64_t> samples) {
    for (const std::int64_t sample : samples) {
      if (!cache_.find(sample)) keep(sample);
    }
  }
  std::vector<std::int64_t> kept() const {
    std::vector<std::int64_t> samples;
    for (std::int64_t sample = 0; sample < 20; ++sample) {
      if (cache_.contains(sample)) samples.push_back(sample);
    }
    return samples;
  }

  ImageCache cache_{static_cast<std::size_t>(3 * kBytes + 1)};  // for three
};

TEST_F(ImageCacheTest, KeepsWhatThereIsRoomFor) {
  pass({1, 2, 3, 4});
  EXPECT_THAT(kept(), ElementsAre(1, 2, 3));
  const at::Tensor first = *cache_.find(1);
  pass({1, 2, 3, 4});
  EXPECT_EQ(cache_.find(1)->data_ptr(), first.data_ptr());
  EXPECT_THAT(kept(), ElementsAre(1, 2, 3)) << "a pass over more than there is room for";
}

TEST_F(ImageCacheTest, ImagesOfEarlierTasksMakeRoomAndThoseUsedLongestAgoFirst) {
  pass({1, 2, 3});
  pass({1});
  cache_.begin_task();
  EXPECT_THAT(kept(), ElementsAre(1, 2, 3)) << "as long as nobody needs the room";
  pass({4});
  EXPECT_THAT(kept(), ElementsAre(1, 3, 4));
  pass({5, 6});
  EXPECT_THAT(kept(), ElementsAre(4, 5, 6));
}

// Test images, which every evaluation reads, outlive a task's training images.
TEST_F(ImageCacheTest, WhatIsUsedInEveryTaskStays) {
  constexpr std::int64_t kTest = 19;
  for (std::int64_t task = 0; task < 5; ++task) {
    cache_.begin_task();
    pass({2 * task, 2 * task + 1});
    pass({kTest});
    EXPECT_THAT(kept(), ElementsAre(2 * task, 2 * task + 1, kTest)) << task;
  }
}

TEST_F(ImageCacheTest, AnImageLargerThanTheRoomEvictsNothingOfItsTask) {
  pass({1});
  cache_.keep(2, at::zeros({40}, at::kByte));
  EXPECT_THAT(kept(), ElementsAre(1));
}

}  // namespace
}  // namespace palimpsest
