#include "palimpsest/head/class_statistics.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

[[noreturn]] void refuse_empty_class(std::size_t c) {
  throw Error(concat("class ", c + 1, " of the task has no training sample, and so no mean"));
}

}  // namespace

std::vector<float> class_means(std::span<const float> features,
                               std::span<const std::int64_t> targets, std::int64_t classes) {
  const std::size_t width = targets.empty() ? 0 : features.size() / targets.size();
  std::vector<double> sums(static_cast<std::size_t>(classes) * width);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes));
  for (std::size_t n = 0; n < targets.size(); ++n) {
    const auto c = static_cast<std::size_t>(targets[n]);
    ++counts[c];
    for (std::size_t k = 0; k < width; ++k) sums[c * width + k] += features[n * width + k];
  }
  for (std::size_t c = 0; c < counts.size(); ++c)
    if (counts[c] == 0) refuse_empty_class(c);
  std::vector<float> means(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    means[i] = static_cast<float>(sums[i] / static_cast<double>(counts[i / width]));
  return means;
}

ClassStatistics class_statistics(const at::Tensor& features, std::span<const std::int64_t> targets,
                                 std::int64_t classes) {
  const c10::NoGradGuard no_grad;
  std::vector<std::vector<std::int64_t>> samples(static_cast<std::size_t>(classes));
  for (std::size_t n = 0; n < targets.size(); ++n)
    samples[static_cast<std::size_t>(targets[n])].push_back(static_cast<std::int64_t>(n));
  std::int64_t most = 0, width = features.size(1);
  for (std::size_t c = 0; c < samples.size(); ++c) {
    if (samples[c].empty()) refuse_empty_class(c);
    most = std::max(most, std::ssize(samples[c]));
  }
  const std::int64_t rank = std::max(std::int64_t{1}, std::min({kCovarianceRank, most - 1, width}));
  const at::Tensor on_host = features.to(at::kCPU);
  ClassStatistics statistics{.mean = at::zeros({classes, width}),
                             .factor = at::zeros({classes, rank, width}),
                             .rest = at::zeros({classes})};
  for (std::int64_t c = 0; c < classes; ++c) {
    const std::vector<std::int64_t>& own = samples[static_cast<std::size_t>(c)];
    const at::Tensor rows = on_host.index_select(0, at::tensor(own)).to(at::kDouble);
    const at::Tensor mean = rows.mean(0);
    statistics.mean[c].copy_(mean);
    if (own.size() > 1) {
      const double divisor = std::sqrt(static_cast<double>(own.size() - 1));
      const LowRankCovariance found = low_rank_covariance((rows - mean).div(divisor));
      statistics.factor[c].narrow(0, 0, found.factor.size(0)).copy_(found.factor);
      statistics.rest[c].fill_(found.rest);
    }
    progress_made();
  }
  return statistics;
}

at::Tensor draw_features(const ClassStatistics& statistics, std::int64_t c, double mean_factor,
                         double ridge, const ClassDraws& draws) {
  const c10::NoGradGuard no_grad;
  const at::Tensor factor = statistics.factor[c];
  const std::int64_t rank = factor.size(0), width = factor.size(1);
  at::Tensor noise = at::empty({draws.count, rank + width});
  float* row = noise.mutable_data_ptr<float>();
  for (std::int64_t draw = draws.first; draw < draws.first + draws.count; ++draw) {
    const std::span<float> values(row, static_cast<std::size_t>(rank + width));
    fill_normal(values, RandomStream(draws.seed, Purpose::kClassFeatures,
                                     static_cast<std::uint32_t>(draws.task),
                                     static_cast<std::uint64_t>(draws.label) << 32 |
                                         static_cast<std::uint64_t>(draw)));
    row += values.size();
  }
  const double deviation = std::sqrt(statistics.rest[c].item<double>() + ridge);
  return noise.narrow(1, 0, rank)
      .mm(factor)
      .add(noise.narrow(1, rank, width), deviation)
      .add(statistics.mean[c], mean_factor);
}

}  // namespace palimpsest
