#include "curvature_samples.h"

#include <algorithm>
#include <map>
#include <vector>

#include "palimpsest/core/random.h"

namespace palimpsest {

Task with_fewer_samples(const Task& task, std::int64_t by_class, std::uint64_t seed) {
  struct Drawn {
    double number;
    std::size_t position;
    auto operator<=>(const Drawn&) const = default;
  };
  std::map<std::int64_t, std::vector<Drawn>> classes;
  for (std::size_t i = 0; i < task.train.samples.size(); ++i) {
    RandomStream stream(seed, Purpose::kCurvatureSample, static_cast<std::uint32_t>(task.index),
                        static_cast<std::uint64_t>(task.train.samples[i]));
    classes[task.train.targets[i]].push_back({stream.uniform(), i});
  }
  std::vector<std::size_t> chosen;
  for (auto& [target, drawn] : classes) {
    const auto count = std::min(drawn.size(), static_cast<std::size_t>(by_class));
    std::ranges::partial_sort(drawn, drawn.begin() + static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < count; ++i) chosen.push_back(drawn[i].position);
  }
  std::ranges::sort(chosen);
  Task fewer = task;
  fewer.train = {};
  for (const std::size_t position : chosen) {
    fewer.train.samples.push_back(task.train.samples[position]);
    fewer.train.targets.push_back(task.train.targets[position]);
  }
  return fewer;
}

}  // namespace palimpsest
