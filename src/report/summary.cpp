#include <algorithm>
#include <cctype>
#include <functional>
#include <optional>

#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/metrics/stream_metrics.h"
#include "palimpsest/report/views.h"

namespace palimpsest {
namespace {

// With the primary score's name in place of "accuracy".
std::string titled(std::string_view text, std::string_view title) {
  std::string all(text);
  for (const std::string_view word : {"accuracy", "accuracies"}) {
    const std::size_t at = all.find(word);
    if (at != std::string::npos && title != "accuracy") all.replace(at, word.size(), title);
  }
  return all;
}

// What a row has of a task; without one, of the samples of all tasks.
using Cell = std::function<std::string(const EvaluationRow& row, std::optional<std::size_t> task)>;

Cell accuracy_cell(int decimals) {
  return [decimals](const EvaluationRow& row, std::optional<std::size_t> task) {
    return task ? percent(row.accuracy(*task), decimals)
                : percent(accuracy_over_seen(row), decimals);
  };
}

Cell mean_cell(const std::string& score) {
  return [score](const EvaluationRow& row, std::optional<std::size_t> task) -> std::string {
    if (!task && !is_over_seen(row)) return "-";
    return fixed(task ? mean(row.score(score), *task) : mean(row.score(score)), 3);
  };
}

// Row t: a cell for each of the tasks 1 to t (without columns: of task t), for all of them
// together, alpha.
std::string matrix_table(const AccuracyMatrix& accuracy, const Cell& cell,
                         const std::vector<double>& alphas, std::size_t columns, int gap) {
  std::vector<std::string> header = {"after"};
  for (std::size_t j = 0; j < columns; ++j) header.push_back(std::to_string(j + 1));
  if (columns == 0) header.push_back("new");
  header.push_back("all");
  if (!alphas.empty()) header.push_back("alpha");
  const std::string alignment(header.size(), 'r');
  Rows rows = {std::move(header)};
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) {
    const EvaluationRow& row = accuracy.row(t);
    std::vector<std::string> cells = {std::to_string(t + 1)};
    for (std::size_t j = 0; j < columns; ++j)
      cells.push_back(j > t ? "" : row.samples[j] == 0 ? "-" : cell(row, j));
    if (columns == 0) cells.push_back(cell(row, t));
    cells.push_back(cell(row, std::nullopt));
    if (!alphas.empty()) cells.push_back(fixed(alphas[t], 3));
    rows.push_back(std::move(cells));
  }
  return text_table(rows, alignment, gap);
}

int line_width(const std::string& table) {
  std::size_t widest = 0;
  for (std::size_t start = 0; start < table.size();) {
    const std::size_t end = table.find('\n', start);
    widest = std::max(widest, end - start);
    start = end + 1;
  }
  return static_cast<int>(widest);
}

struct Layout {
  Cell cell;
  int gap;
};

// The first layout that fits.
std::string fitting_matrix(const AccuracyMatrix& accuracy, const std::vector<double>& alphas,
                           std::span<const Layout> layouts, int width) {
  for (const auto& [cell, gap] : layouts) {
    std::string table = matrix_table(accuracy, cell, alphas, accuracy.tasks(), gap);
    if (line_width(table) <= width) return table;
  }
  return "(too many columns for this width; new: on the newest task)\n" +
         matrix_table(accuracy, layouts.front().cell, alphas, 0, 2);
}

std::vector<std::string> share_row(std::string_view name, const std::optional<double>& share,
                                   std::string meaning) {
  return {std::string(name), percent(share), share ? "%" : "", std::move(meaning)};
}

// A number of stream_metrics(), as the field calls it.
struct Measure {
  std::string_view key, name, meaning;
  std::string_view needs = "";  // what is missing where it is not defined
  bool is_difference = false;   // points of percent, rather than percent
};
constexpr std::string_view kEarlier = "needs an earlier task, tested after the last one";
constexpr Measure kMeasures[] = {
    {"last", "last accuracy", "after the last task, on all tasks' samples", kEarlier},
    {"last_task_mean", "last accuracy, mean over tasks", "the same, every task counting alike",
     kEarlier},
    {"average_anytime", "average anytime accuracy", "mean of the accuracies on all tasks so far",
     "needs earlier tasks tested after every task"},
    {"forgetting", "forgetting", "best accuracy on a task, minus the last", kEarlier, true},
    {"forgetting_from_peak_before_merge", "forgetting, from before the merge",
     "the same, counting what was reached before a merge", kEarlier, true},
    {"backward_transfer", "backward transfer", "last accuracy on a task, minus its first", kEarlier,
     true},
    {"plasticity_before_merge", "plasticity before the merge",
     "accuracy on the newest task, mean over tasks"},
    {"plasticity", "plasticity after the merge", "the same, of the model that stays"}};

// Indented where only one thing differs from the line above.
Rows rows_of_measures(const AccuracyMatrix& accuracy, std::string_view title) {
  const std::vector<NamedMetric> metrics = stream_metrics(accuracy);
  Rows rows;
  std::string above;
  for (const auto& [key, name, meaning, needs, is_difference] : kMeasures) {
    const bool is_variant = !above.empty() && name.starts_with(above + ", ");
    if (!is_variant) above = name;
    const auto metric = std::ranges::find(metrics, key, &NamedMetric::name);
    const std::optional<double> value = metric == metrics.end() ? std::nullopt : metric->value;
    rows.push_back({is_variant ? concat("  ", name.substr(above.size() + 2)) : titled(name, title),
                    percent(value),
                    !value          ? ""
                    : is_difference ? "points"
                                    : "%",
                    titled(value ? meaning : needs, title)});
  }
  return rows;
}

// The matrices of scores that have one beside the primary score's.
std::string score_matrices(const AccuracyMatrix& accuracy, int width) {
  std::string text;
  for (const Score& score : accuracy.row(0).scores) {
    const ScoreInfo info = score_info(score.name);
    if (!info.has_matrix) continue;
    const Layout layout{mean_cell(score.name), 2};
    text += concat("\n",
                   wrap(concat("The same in ", info.column, ": ", info.meaning,
                               info.less_is_better ? "; less is better." : "."),
                        width, 0, 0),
                   "\n\n", fitting_matrix(accuracy, {}, {&layout, 1}, width));
  }
  return text;
}

}  // namespace

std::string summary_table(const AccuracyMatrix& accuracy, const std::vector<double>& alphas,
                          int width, bool task_given) {
  if (!alphas.empty() && alphas.size() != accuracy.tasks()) {
    throw Error(concat("summary: expected one alpha for each of ", accuracy.tasks(),
                       " tasks, found ", alphas.size()));
  }
  if (accuracy.tasks() == 0) return "No task is finished yet.\n";
  const AccuracyMatrix shown = task_given ? given_task(accuracy) : accuracy;
  const EvaluationRow& newest = accuracy.row(accuracy.tasks() - 1);
  const std::string title = primary_title(shown.row(0));
  Rows numbers = rows_of_measures(shown, title);
  if (task_given) {
    numbers.push_back(share_row("accuracy without the task", accuracy.last(),
                                "as last, choosing among all classes seen"));
  }
  for (const Score* score : in_table_order(newest)) {
    const ScoreInfo info = score_info(score->name);
    const bool is_above = score == &newest.scores.front() ||
                          score->name == shown.row(shown.tasks() - 1).scores.front().name;
    if (info.in_summary) {
      numbers.push_back(
          {std::string(info.title), fixed(mean(*score), 4), "nats", std::string(info.meaning)});
      continue;
    }
    if (is_above || info.unit == Unit::kNats || !is_over_seen(newest)) continue;
    if (info.unit == Unit::kShare) {
      numbers.push_back(share_row(info.title, mean(*score), concat("as last, ", info.meaning)));
    } else {
      numbers.push_back({score->name, fixed(mean(*score), 4), "", "mean after the last task"});
    }
  }
  const std::string choice = title != "accuracy" ? ""
                             : task_given ? ", choosing among the classes of the sample's task"
                                          : ", choosing among all classes seen";
  const std::string untested =
      has_untested(accuracy) ? " -: not tested (--evaluate, or its data isn't available)." : "";
  std::string heading = title;
  heading[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(heading[0])));
  const Layout layouts[] = {{accuracy_cell(1), 2}, {accuracy_cell(0), 2}, {accuracy_cell(0), 1}};
  return wrap(concat(heading,
                     " in % after each task (row) on the test samples of each task (column)",
                     choice, ". all: on the samples of all tasks so far.", untested),
              width, 0, 0) +
         "\n\n" + fitting_matrix(shown, alphas, layouts, width) + "\n" +
         text_table(numbers, "lrll") + score_matrices(accuracy, width);
}

std::string other_summaries(std::span<const OtherAccuracy> others, int width, bool task_given) {
  std::string text;
  for (const OtherAccuracy& other : others)
    text += concat("\nThe same by the classifier ", other.classifier, "\n\n",
                   summary_table(other.accuracy, {}, width, task_given));
  return text;
}

}  // namespace palimpsest
