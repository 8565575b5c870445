#include "accuracy_record.h"

#include <algorithm>
#include <span>

#include "palimpsest/core/error.h"
#include "palimpsest/metrics/scores.h"

namespace palimpsest {
namespace {

using EvaluationRows = std::vector<EvaluationRow>;

// Files of 1.x have no names. The first two are in all of them, the others came with 1.2, together
// with counts by class.
constexpr const char* kScoresOf1[] = {"correct", "correct_given_task", "correct_top5",
                                      "correct_task", "loss_given_task"};
constexpr std::size_t kScoresOf1_0 = 2;

H5Dims with(H5Dims dims, std::size_t columns) {
  dims.push_back(static_cast<std::int64_t>(columns));
  return dims;
}

bool is_all_zero(const auto& values) {
  return std::ranges::all_of(values, [](auto value) { return value == 0; });
}

// Row after row, each of `columns` numbers: those of of_row(row), or none (nullptr), then zeros.
template <typename Number>
std::vector<Number> padded_rows(std::span<const EvaluationRow> rows, std::size_t columns,
                                const auto& of_row) {
  std::vector<Number> values;
  for (std::size_t t = 0; t < rows.size(); ++t) {
    if (const std::vector<Number>* own = of_row(rows[t]))
      values.insert(values.end(), own->begin(), own->end());
    values.resize((t + 1) * columns);
  }
  return values;
}

// The first `length` numbers of row t.
template <typename Number>
std::vector<Number> beginning_of(const std::vector<Number>& values, std::size_t columns,
                                 std::size_t t, std::size_t length) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(t * columns);
  return {begin, begin + static_cast<std::ptrdiff_t>(length)};
}

void write_doubles(H5Writer& file, const std::string& path, const H5Dims& dims,
                   const std::vector<double>& values, bool as_integers) {
  if (as_integers) {
    file.numbers<std::int64_t>(path, dims, std::vector<std::int64_t>(values.begin(), values.end()));
  } else {
    file.numbers<double>(path, dims, values);
  }
}

std::vector<double> read_doubles(const H5File& file, const std::string& path, const H5Dims& dims) {
  if (file.open(path).type != kH5Type<std::int64_t>) return file.numbers<double>(path, dims);
  const auto values = file.numbers<std::int64_t>(path, dims);
  return {values.begin(), values.end()};
}

// The newest row's scores in their order, then those that only earlier rows have.
std::vector<std::string> score_names(std::span<const EvaluationRow> rows) {
  std::vector<std::string> names;
  for (std::size_t t = rows.size(); t-- > 0;) {
    for (const Score& score : rows[t].scores)
      if (std::ranges::count(names, score.name) == 0) names.push_back(score.name);
  }
  return names;
}

// dims: of a dataset, but for its columns; empty for a single row.
void write_rows(H5Writer& file, const std::string& group, std::span<const EvaluationRow> rows,
                const H5Dims& dims) {
  const std::size_t tasks = rows.back().samples.size();
  const auto samples =
      padded_rows<std::int64_t>(rows, tasks, [](const auto& row) { return &row.samples; });
  file.numbers<std::int64_t>(group + "/samples", with(dims, tasks), samples);
  const std::vector<std::string> names = score_names(rows);
  file.texts(group + "/scores", names);
  for (const std::string& name : names) {
    const auto values = [&](std::vector<double> Score::*member) {
      return padded_rows<double>(rows, tasks, [&](const EvaluationRow& row) {
        const Score* const score = row.find(name);
        return score == nullptr ? nullptr : &(score->*member);
      });
    };
    const std::vector<double> sums = values(&Score::sums), weights = values(&Score::weights);
    write_doubles(file, group + "/" + name, with(dims, tasks), sums, are_counts(name, sums));
    if (weights == std::vector<double>(samples.begin(), samples.end())) continue;
    write_doubles(file, group + "/weights/" + name, with(dims, tasks), weights, are_whole(weights));
  }
  std::size_t classes = 0;
  for (const EvaluationRow& row : rows) classes = std::max(classes, row.class_samples.size());
  if (classes == 0) return;
  file.numbers<std::int64_t>(
      group + "/class_samples", with(dims, classes),
      padded_rows<std::int64_t>(rows, classes, [](const auto& row) { return &row.class_samples; }));
  file.numbers<std::int64_t>(
      group + "/class_correct", with(dims, classes),
      padded_rows<std::int64_t>(rows, classes, [](const auto& row) { return &row.class_correct; }));
}

// The inverse. tasks, classes: how many each row has.
EvaluationRows read_rows(const H5File& file, const std::string& group, const H5Dims& dims,
                         const std::vector<std::size_t>& tasks,
                         const std::vector<std::size_t>& classes) {
  EvaluationRows rows(tasks.size());
  const auto samples = file.numbers<std::int64_t>(group + "/samples", with(dims, tasks.back()));
  for (std::size_t t = 0; t < rows.size(); ++t)
    rows[t].samples = beginning_of(samples, tasks.back(), t, tasks[t]);
  if (file.has(group + "/class_samples")) {
    const H5Dims shape = with(dims, classes.back());
    const auto of_class = file.numbers<std::int64_t>(group + "/class_samples", shape);
    const auto correct = file.numbers<std::int64_t>(group + "/class_correct", shape);
    for (std::size_t t = 0; t < rows.size(); ++t) {
      const auto own = beginning_of(of_class, classes.back(), t, classes[t]);
      if (is_all_zero(own)) continue;
      rows[t].class_samples = own;
      rows[t].class_correct = beginning_of(correct, classes.back(), t, classes[t]);
    }
  }
  const auto read = [&](const std::string& name, auto has_score) {
    const H5Dims shape = with(dims, tasks.back());
    const std::vector<double> sums = read_doubles(file, group + "/" + name, shape);
    const std::vector<double> weights = file.has(group + "/weights/" + name)
                                            ? read_doubles(file, group + "/weights/" + name, shape)
                                            : std::vector<double>(samples.begin(), samples.end());
    for (std::size_t t = 0; t < rows.size(); ++t) {
      Score score{.name = name,
                  .sums = beginning_of(sums, tasks.back(), t, tasks[t]),
                  .weights = beginning_of(weights, tasks.back(), t, tasks[t])};
      if (has_score(rows[t], score)) rows[t].scores.push_back(std::move(score));
    }
  };
  if (file.has(group + "/scores")) {
    for (const std::string& name : file.texts(group + "/scores"))
      read(name, [](const auto&, const Score& score) { return !is_all_zero(score.weights); });
    return rows;
  }
  for (std::size_t i = 0; i < std::size(kScoresOf1); ++i) {
    const bool is_of_1_0 = i < kScoresOf1_0;
    if (!is_of_1_0 && !file.has(group + "/class_samples")) break;
    read(kScoresOf1[i], [&](const EvaluationRow& row, const Score&) {
      return is_of_1_0 || !row.class_samples.empty();
    });
  }
  return rows;
}

}  // namespace

void write_row(H5Writer& file, const std::string& group, const EvaluationRow& row) {
  write_rows(file, group, std::span(&row, 1), {});
}

EvaluationRow read_row(const H5File& file, const std::string& group, std::size_t tasks) {
  std::size_t classes = 0;
  if (file.has(group + "/class_samples")) {
    const H5Dims dims = file.dims(group + "/class_samples");
    classes = dims.size() == 1 ? static_cast<std::size_t>(dims[0]) : 0;
  }
  EvaluationRow row = read_rows(file, group, {}, {tasks}, {classes}).front();
  try {
    check_row(row, tasks);
  } catch (const Error& error) {
    file.refuse(group, "counts that fit together", error.what());
  }
  return row;
}

void write_accuracy(H5Writer& file, const AccuracyMatrix& accuracy) {
  EvaluationRows after, before;
  for (std::size_t task = 0; task < accuracy.tasks(); ++task) {
    after.push_back(accuracy.row(task));
    before.push_back(accuracy.row_before_merge(task));
  }
  const H5Dims dims = {std::ssize(after)};
  write_rows(file, "/accuracy/after_merge", after, dims);
  write_rows(file, "/accuracy/before_merge", before, dims);
}

AccuracyMatrix read_accuracy(const H5File& file,
                             const std::vector<std::vector<std::string>>& classes) {
  std::vector<std::size_t> by_task, by_class;
  std::size_t seen = 0;
  for (const auto& names : classes) {
    by_task.push_back(by_task.size() + 1);
    by_class.push_back(seen += names.size());
  }
  const H5Dims dims = {std::ssize(classes)};
  EvaluationRows after = read_rows(file, "/accuracy/after_merge", dims, by_task, by_class);
  EvaluationRows before = read_rows(file, "/accuracy/before_merge", dims, by_task, by_class);
  AccuracyMatrix accuracy;
  for (std::size_t task = 0; task < after.size(); ++task) {
    try {
      accuracy.add_row(std::move(after[task]), std::move(before[task]));
    } catch (const Error& error) {
      file.refuse("/accuracy", "counts that fit together", error.what());
    }
  }
  return accuracy;
}

}  // namespace palimpsest
