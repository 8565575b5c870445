#include "palimpsest/report/tensorboard.h"

#include <bit>
#include <chrono>
#include <string_view>
#include <utility>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/event_file.h"
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {
namespace {

// Protocol buffers: a field's number and how it is written, then its value.
constexpr int kVarint = 0, kEightBytes = 1, kBytes = 2, kFourBytes = 5;

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string field(int number, int kind, std::string_view value) {
  return varint(static_cast<std::uint64_t>(number << 3 | kind)) +
         (kind == kBytes ? varint(value.size()) : "") + std::string(value);
}

template <typename Bits, typename Number>
std::string fixed_bytes(Number number) {
  const auto bits = std::bit_cast<Bits>(number);
  std::string bytes;
  for (std::size_t i = 0; i < sizeof bits; ++i) bytes += static_cast<char>(bits >> (8 * i) & 0xff);
  return bytes;
}

using Scalar = std::pair<std::string_view, double>;

// Event: 1 wall_time, 2 step, then 3 file_version or 5 summary.
std::string event_at(std::int64_t step, std::string_view content) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return event_record(field(1, kEightBytes, fixed_bytes<std::uint64_t>(now.count())) +
                      field(2, kVarint, varint(static_cast<std::uint64_t>(step))) +
                      std::string(content));
}

// Summary: 1 value, each {1 tag, 2 simple_value}.
std::string scalars_at(std::int64_t step, std::initializer_list<Scalar> scalars) {
  std::string values;
  for (const auto& [tag, value] : scalars) {
    values +=
        field(1, kBytes,
              field(1, kBytes, tag) +
                  field(2, kFourBytes, fixed_bytes<std::uint32_t>(static_cast<float>(value))));
  }
  return event_at(step, field(5, kBytes, values));
}

// "07" of 10 tasks, so that names sort as numbers.
std::string padded(std::size_t task, int tasks) {
  const std::string number = std::to_string(task), last = std::to_string(tasks);
  return std::string(last.size() - std::min(last.size(), number.size()), '0') + number;
}

// Where to append: an incomplete record at the end is removed.
std::filesystem::path to_append_to(const std::filesystem::path& path) {
  std::error_code missing, error;
  const auto size = std::filesystem::file_size(path, missing);
  if (missing) return path;
  const std::vector<std::int64_t> ends = record_ends(path);
  const auto whole = static_cast<std::uintmax_t>(ends.empty() ? 0 : ends.back());
  if (whole < size) std::filesystem::resize_file(path, whole, error);
  if (error) throw Error(concat("log ", path.string(), " cannot be cut: ", error.message()));
  return path;
}

}  // namespace

TensorBoardReport::TensorBoardReport(const std::filesystem::path& path,
                                     const AccuracyMatrix& so_far,
                                     std::span<const OtherAccuracy> others, bool task_given)
    : log_(to_append_to(path)), task_given_(task_given) {
  const auto shown = [&](const AccuracyMatrix& accuracy) {
    return task_given ? given_task(accuracy) : accuracy;
  };
  own_.accuracy = shown(so_far);
  for (const OtherAccuracy& other : others)
    others_[other.classifier].accuracy = shown(other.accuracy);
  if (std::filesystem::file_size(path) == 0)
    log_.write(event_at(0, field(3, kBytes, "brain.Event:2")), true);
}

void TensorBoardReport::on(const RunStarted& event) { tasks_ = event.tasks; }

void TensorBoardReport::on(const TaskStarted& event) { steps_before_ = event.steps_before; }

void TensorBoardReport::on(const StepDone& event) {
  log_.write(scalars_at(steps_before_ + event.step, {{"train/loss", event.loss},
                                                     {"train/gradient_norm", event.gradient_norm},
                                                     {"train/learning_rate", event.learning_rate},
                                                     {"train/scale", event.scale}}),
             /*at_once=*/false);
}

void TensorBoardReport::on(const Merged& event) {
  log_.write(scalars_at(event.task + 1, {{"stream/alpha", event.alpha}}), true);
}

void TensorBoardReport::on(const ErrorBudget& event) {
  std::string records = scalars_at(event.task + 1, {{"stream/rise_measured", event.rise_measured}});
  if (event.rise_predicted)
    records += scalars_at(event.task + 1, {{"stream/rise_predicted", *event.rise_predicted}});
  log_.write(records, true);
}

void TensorBoardReport::on(const Evaluated& event) {
  Curve& curve = event.is_own ? own_ : others_[event.classifier];
  const std::string group = event.is_own ? "stream" : event.classifier;
  const std::string of_tasks = event.is_own ? "tasks/" : concat(group, "/task_");
  EvaluationRow row = task_given_ ? given_task(event.row) : event.row;
  const std::int64_t task = event.task + 1;
  const double newest = row.accuracy(row.samples.size() - 1);
  if (!event.after_merge) {
    curve.before_merge = std::move(row);
    log_.write(scalars_at(task, {{group + "/accuracy_newest_before_merge", newest}}), true);
    return;
  }
  const std::optional<double> on_all = accuracy_over_seen(row);
  const std::string all_name = group + "/accuracy", newest_name = group + "/accuracy_newest";
  std::string records = on_all ? scalars_at(task, {{all_name, *on_all}, {newest_name, newest}})
                               : scalars_at(task, {{newest_name, newest}});
  for (std::size_t j = 0; j < row.samples.size(); ++j) {
    if (row.samples[j] == 0) continue;  // not tested
    records += scalars_at(task, {{of_tasks + padded(j + 1, tasks_), row.accuracy(j)}});
  }
  curve.accuracy.add_row(std::move(row), std::move(curve.before_merge));
  if (const auto forgetting = curve.accuracy.forgetting())
    records += scalars_at(task, {{group + "/forgetting", *forgetting}});
  log_.write(records, true);
}

}  // namespace palimpsest
