#include "palimpsest/core/evaluation_row.h"

#include <algorithm>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

double quotient(double sum, double weight) { return weight == 0 ? 0 : sum / weight; }

const Score& primary(const EvaluationRow& row) {
  if (row.scores.empty()) throw Error("an evaluation without a score");
  return row.scores.front();
}

}  // namespace

double mean(const Score& score, std::size_t task) {
  return quotient(score.sums.at(task), score.weights.at(task));
}

double mean(const Score& score) {
  const auto total = [](const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  };
  return quotient(total(score.sums), total(score.weights));
}

void EvaluationRow::add(std::string name, std::vector<double> sums) {
  scores.push_back({.name = std::move(name),
                    .sums = std::move(sums),
                    .weights = std::vector<double>(samples.begin(), samples.end())});
}

const Score* EvaluationRow::find(std::string_view name) const {
  const auto found = std::ranges::find(scores, name, &Score::name);
  return found == scores.end() ? nullptr : &*found;
}

const Score& EvaluationRow::score(std::string_view name) const {
  if (const Score* found = find(name)) return *found;
  throw Error(concat("an evaluation without the score ", name));
}

double EvaluationRow::accuracy(std::size_t task) const { return mean(primary(*this), task); }
double EvaluationRow::sample_weighted() const { return mean(primary(*this)); }

double EvaluationRow::task_mean() const {
  double sum = 0;
  std::size_t tested = 0;
  for (std::size_t j = 0; j < samples.size(); ++j) {
    if (samples[j] == 0) continue;
    sum += accuracy(j);
    ++tested;
  }
  return tested == 0 ? 0 : sum / static_cast<double>(tested);
}

}  // namespace palimpsest
