#include "palimpsest/metrics/sweep.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/scores.h"

namespace palimpsest {

std::vector<double> sweep_alphas(std::size_t points, std::optional<double> own) {
  if (points < 2) throw Error(concat("a sweep over ", points, " points; expected at least two"));
  std::vector<double> alphas;
  for (std::size_t i = 0; i < points; ++i)
    alphas.push_back(static_cast<double>(i) / static_cast<double>(points - 1));
  if (own && std::ranges::find(alphas, *own) == alphas.end()) alphas.push_back(*own);
  std::ranges::sort(alphas);
  return alphas;
}

std::size_t best_point(std::span<const SweepPoint> points, bool given_task) {
  if (points.empty()) throw Error("the best of no points");
  const auto merit = [&](const SweepPoint& point) {
    std::vector<double> merits = {
        (given_task ? palimpsest::given_task(point.row) : point.row).sample_weighted()};
    for (const Score& score : point.row.scores)
      if (score_info(score.name).less_is_better) merits.push_back(-mean(score));
    merits.push_back(-point.alpha);
    return merits;
  };
  return static_cast<std::size_t>(std::ranges::max_element(points, {}, merit) - points.begin());
}

}  // namespace palimpsest
