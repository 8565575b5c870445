#pragma once
// Independent pieces of work over a few threads.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <future>
#include <vector>

#include "palimpsest/core/progress.h"

namespace palimpsest {

// work(0) .. work(count - 1), each once, on `threads` threads, this one among them. Throws what the
// work throws, after all threads have ended.
template <typename Work>
void for_each_index(std::size_t count, int threads, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      work(i);
      progress_made();
    }
  };
  std::vector<std::future<void>> others;
  for (int thread = 1; thread < threads; ++thread) {
    others.push_back(std::async(std::launch::async, take));
  }
  take();
  for (std::future<void>& other : others) other.get();
}

// use(0, read(0)), use(1, read(1)), ...: one is read on another thread while the one before is
// used.
template <typename Read, typename Use>
void read_ahead(std::size_t count, const Read& read, const Use& use) {
  const auto begin = [&](std::size_t i) { return std::async(std::launch::async, read, i); };
  if (count == 0) return;
  auto next = begin(0);
  for (std::size_t i = 0; i < count; ++i) {
    const auto made = next.get();
    if (i + 1 < count) next = begin(i + 1);
    use(i, made);
  }
}

inline constexpr std::size_t kPartSize = 1 << 18;
inline std::size_t part_count(std::size_t size) { return (size + kPartSize - 1) / kPartSize; }

// work(begin, end) over parts of 0 .. size - 1, each of kPartSize except for the last.
template <typename Work>
void for_each_part(std::size_t size, int threads, const Work& work) {
  for_each_index(part_count(size), threads, [&](std::size_t part) {
    work(part * kPartSize, std::min(size, (part + 1) * kPartSize));
  });
}

}  // namespace palimpsest
