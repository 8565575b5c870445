#include "palimpsest/head/class_statistics.h"

#include <cmath>
#include <numbers>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// Two normal numbers at a time (Box and Muller, 1958).
class NormalStream {
 public:
  explicit NormalStream(RandomStream uniform) : uniform_(uniform) {}

  double next() {
    if (has_second_) {
      has_second_ = false;
      return second_;
    }
    const double radius = std::sqrt(-2 * std::log(1 - uniform_.uniform()));
    const double angle = 2 * std::numbers::pi * uniform_.uniform();
    second_ = radius * std::sin(angle);
    has_second_ = true;
    return radius * std::cos(angle);
  }

 private:
  RandomStream uniform_;
  double second_ = 0;
  bool has_second_ = false;
};

}  // namespace

ClassStatistics class_statistics(std::span<const float> features,
                                 std::span<const std::int64_t> targets, std::int64_t classes) {
  const std::size_t width = targets.empty() ? 0 : features.size() / targets.size();
  const auto size = static_cast<std::size_t>(classes) * width;
  std::vector<double> sums(size), squares(size);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes));
  for (const std::int64_t target : targets) ++counts[static_cast<std::size_t>(target)];
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0)
      throw Error(concat("class ", c + 1, " of the task has no training sample, and so no mean"));
  }
  const auto each = [&](const auto& add) {
    for (std::size_t n = 0; n < targets.size(); ++n) {
      const auto c = static_cast<std::size_t>(targets[n]);
      for (std::size_t k = 0; k < width; ++k) {
        add(static_cast<double>(features[n * width + k]), c * width + k,
            static_cast<double>(counts[c]));
      }
    }
  };
  each([&](double value, std::size_t at, double) { sums[at] += value; });
  each([&](double value, std::size_t at, double count) {
    const double deviation = value - sums[at] / count;
    squares[at] += deviation * deviation;
  });
  ClassStatistics statistics{.classes = classes,
                             .features = static_cast<std::int64_t>(width),
                             .mean = std::vector<float>(size),
                             .variance = std::vector<float>(size)};
  for (std::size_t i = 0; i < size; ++i) {
    const auto count = static_cast<double>(counts[i / width]);
    statistics.mean[i] = static_cast<float>(sums[i] / count);
    statistics.variance[i] = count > 1 ? static_cast<float>(squares[i] / (count - 1)) : 0;
  }
  return statistics;
}

void draw_features(const ClassStatistics& statistics, std::uint64_t seed, std::int64_t task,
                   std::int64_t first_class, std::int64_t draws, std::vector<float>& rows) {
  const auto width = static_cast<std::size_t>(statistics.features);
  for (std::int64_t c = 0; c < statistics.classes; ++c) {
    const std::size_t first = static_cast<std::size_t>(c) * width;
    for (std::int64_t draw = 0; draw < draws; ++draw) {
      NormalStream normal(RandomStream(
          seed, Purpose::kClassFeatures, static_cast<std::uint32_t>(task),
          static_cast<std::uint64_t>(first_class + c) << 32 | static_cast<std::uint64_t>(draw)));
      for (std::size_t k = first; k < first + width; ++k) {
        const double deviation = std::sqrt(static_cast<double>(statistics.variance[k]));
        rows.push_back(static_cast<float>(static_cast<double>(statistics.mean[k]) +
                                          deviation * normal.next()));
      }
    }
  }
}

}  // namespace palimpsest
