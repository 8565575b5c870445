#include <algorithm>
#include <cmath>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/scores.h"

namespace palimpsest {
namespace {

std::int64_t total(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// A name is part of a dataset's, and of a JSON object's.
void check_name(std::string_view name, const std::vector<Score>& before) {
  const bool is_plain = !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  constexpr std::string_view kTaken[] = {"samples", "scores", "weights", "class_samples",
                                         "class_correct"};
  if (is_plain && std::ranges::find(kTaken, name) == std::end(kTaken) &&
      std::ranges::find(before, name, &Score::name) == before.end())
    return;
  throw Error(concat("accuracy matrix: expected other scores than '", name,
                     "': its own name, of a to z, 0 to 9 and _"));
}

void check_score(const EvaluationRow& row, const Score& score) {
  const std::size_t tasks = row.samples.size();
  if (score.sums.size() != tasks || score.weights.size() != tasks) {
    throw Error(concat("accuracy matrix: row ", tasks, " has ", score.name, " of ",
                       score.sums.size(), " tasks, and weights of ", score.weights.size()));
  }
  const ScoreInfo info = score_info(score.name);
  const Score* const least = row.find(info.at_least);
  for (std::size_t j = 0; j < tasks; ++j) {
    const double sum = score.sums[j], weight = score.weights[j];
    const bool fits = std::isfinite(sum) && std::isfinite(weight) && weight >= 0 &&
                      (row.samples[j] > 0 || (sum == 0 && weight == 0)) &&
                      (info.unit == Unit::kOther || sum >= 0) &&
                      (info.unit != Unit::kShare || sum <= weight);
    if (!fits) {
      throw Error(concat("accuracy matrix: task ", j + 1, " has ", sum, " of ", score.name,
                         " over a weight of ", weight, " and ", row.samples[j], " samples"));
    }
    if (least == nullptr || j >= least->sums.size() || sum >= least->sums[j]) continue;
    throw Error(concat("accuracy matrix: task ", j + 1, " has ", sum, " of ", score.name,
                       ", less than the ", least->sums[j], " of ", least->name));
  }
}

void check_classes(const EvaluationRow& row) {
  if (row.class_samples.size() != row.class_correct.size()) {
    throw Error(concat("accuracy matrix: row ", row.samples.size(), " has samples of ",
                       row.class_samples.size(), " and correct of ", row.class_correct.size(),
                       " classes"));
  }
  if (row.class_samples.empty()) return;
  for (std::size_t c = 0; c < row.class_samples.size(); ++c) {
    if (row.class_correct[c] >= 0 && row.class_correct[c] <= row.class_samples[c]) continue;
    throw Error(concat("accuracy matrix: class ", c + 1, " has ", row.class_correct[c],
                       " correct of ", row.class_samples[c], " samples"));
  }
  const std::vector<double>& sums = row.scores.front().sums;
  const double correct = std::accumulate(sums.begin(), sums.end(), 0.0);
  if (total(row.class_samples) != total(row.samples) ||
      static_cast<double>(total(row.class_correct)) != correct) {
    throw Error(concat("accuracy matrix: the classes have ", total(row.class_correct),
                       " correct of ", total(row.class_samples), " samples, the tasks ", correct,
                       " of ", total(row.samples)));
  }
}

}  // namespace

void check_row(const EvaluationRow& row, std::size_t tasks) {
  constexpr std::int64_t kMostSamples = 1'000'000'000'000;  // so that sums over tasks are exact
  if (row.samples.size() != tasks || row.scores.empty()) {
    throw Error(concat("accuracy matrix: a row of ", row.samples.size(), " tasks and ",
                       row.scores.size(), " scores; expected ", tasks, ", and one at least"));
  }
  for (std::size_t j = 0; j < tasks; ++j) {
    const std::int64_t least = j + 1 == tasks ? 1 : 0;  // the newest is always tested
    if (row.samples[j] >= least && row.samples[j] <= kMostSamples) continue;
    throw Error(concat("accuracy matrix: task ", j + 1, " has ", row.samples[j], " samples"));
  }
  for (std::size_t i = 0; i < row.scores.size(); ++i) {
    const Score& score = row.scores[i];
    check_name(score.name, {row.scores.begin(), row.scores.begin() + i});
    check_score(row, score);
    if (score.weights.back() > 0) continue;  // as the newest task is tested
    throw Error(concat("accuracy matrix: ", score.name, " has no weight in the newest task"));
  }
  check_classes(row);
}

}  // namespace palimpsest
