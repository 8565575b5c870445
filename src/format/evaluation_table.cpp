#include "evaluation_table.h"

#include <algorithm>

namespace palimpsest {
namespace {

// Appends the numbers of a row, and zeros up to `columns`.
template <typename Number>
void add_row(std::vector<Number>& table, const std::vector<Number>& row, std::size_t columns) {
  const std::size_t end = table.size() + columns;
  table.insert(table.end(), row.begin(), row.end());
  table.resize(end);
}

// The first `length` numbers of row t; empty of an empty table.
template <typename Number>
std::vector<Number> table_row(const std::vector<Number>& table, std::size_t columns, std::size_t t,
                              std::size_t length) {
  if (table.empty()) return {};
  const auto begin = table.begin() + static_cast<std::ptrdiff_t>(t * columns);
  return {begin, begin + static_cast<std::ptrdiff_t>(length)};
}

bool is_all_zero(const auto& values) {
  return std::ranges::all_of(values, [](auto value) { return value == 0; });
}

// classes: of tasks 0 to t.
std::vector<EvaluationRow> to_evaluation_rows(const EvaluationRow& table,
                                              const std::vector<std::size_t>& classes,
                                              bool is_of_version_1) {
  const std::size_t tasks = classes.size(), columns = tasks == 0 ? 0 : classes.back();
  std::vector<EvaluationRow> rows(tasks);
  for (std::size_t t = 0; t < tasks; ++t) {
    EvaluationRow& row = rows[t];
    row.samples = table_row(table.samples, tasks, t, t + 1);
    const auto counted = table_row(table.class_samples, columns, t, classes[t]);
    if (!is_all_zero(counted)) {
      row.class_samples = counted;
      row.class_correct = table_row(table.class_correct, columns, t, classes[t]);
    }
    for (std::size_t i = 0; i < table.scores.size(); ++i) {
      const Score& all = table.scores[i];
      Score score{.name = all.name,
                  .sums = table_row(all.sums, tasks, t, t + 1),
                  .weights = table_row(all.weights, tasks, t, t + 1)};
      constexpr std::size_t kOf1_0 = 2;
      const bool has_score =
          is_of_version_1 ? i < kOf1_0 || !row.class_samples.empty() : !is_all_zero(score.weights);
      if (has_score) row.scores.push_back(std::move(score));
    }
  }
  return rows;
}

}  // namespace

std::vector<double> own_weights(const Score& score, const EvaluationRow& row) {
  return std::ranges::equal(score.weights, row.samples) ? std::vector<double>() : score.weights;
}

void take_weights(Score& score, const EvaluationRow& row, std::vector<double> own) {
  score.weights = std::move(own);
  if (score.weights.empty()) score.weights.assign(row.samples.begin(), row.samples.end());
}

EvaluationRow to_evaluation_table(const AccuracyMatrix& accuracy, RowOfTask row) {
  const std::size_t tasks = accuracy.tasks();
  EvaluationRow table;
  std::size_t columns = 0;
  // The newest row's scores in their order, then those that only earlier rows have.
  for (std::size_t t = tasks; t-- > 0;) {
    columns = std::max(columns, (accuracy.*row)(t).class_samples.size());
    for (const Score& score : (accuracy.*row)(t).scores)
      if (table.find(score.name) == nullptr)
        table.scores.push_back({.name = score.name, .sums = {}, .weights = {}});
  }
  for (std::size_t t = 0; t < tasks; ++t) {
    const EvaluationRow& own = (accuracy.*row)(t);
    add_row(table.samples, own.samples, tasks);
    add_row(table.class_samples, own.class_samples, columns);
    add_row(table.class_correct, own.class_correct, columns);
    for (Score& score : table.scores) {
      const Score* const found = own.find(score.name);
      add_row(score.sums, found == nullptr ? std::vector<double>() : found->sums, tasks);
      add_row(score.weights, found == nullptr ? std::vector<double>() : found->weights, tasks);
    }
  }
  return table;
}

AccuracyMatrix to_accuracy_matrix(const EvaluationRow& after_merge,
                                  const EvaluationRow& before_merge,
                                  const std::vector<std::vector<std::string>>& classes,
                                  bool is_of_version_1) {
  std::vector<std::size_t> seen;
  for (const auto& names : classes) seen.push_back((seen.empty() ? 0 : seen.back()) + names.size());
  std::vector<EvaluationRow> after = to_evaluation_rows(after_merge, seen, is_of_version_1);
  std::vector<EvaluationRow> before = to_evaluation_rows(before_merge, seen, is_of_version_1);
  AccuracyMatrix accuracy;
  for (std::size_t t = 0; t < seen.size(); ++t)
    accuracy.add_row(std::move(after[t]), std::move(before[t]));
  return accuracy;
}

}  // namespace palimpsest
