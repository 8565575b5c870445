#include "palimpsest/train/task_parameters.h"

#include "palimpsest/train/head.h"

namespace palimpsest {
namespace {

std::vector<std::vector<std::int64_t>> shapes_of(const Backbone& model, std::int64_t classes,
                                                 std::int64_t rank) {
  auto shapes = Lora::shapes(model.lora_groups(), rank);
  shapes.push_back({classes, model.feature_size()});
  shapes.push_back({classes});
  return shapes;
}

}  // namespace

TaskParameters::Numbers::Numbers(const Backbone& model, std::int64_t classes,
                                 const RunConfig& config)
    : flat(shapes_of(model, classes, config.lora_rank), model.device()),
      lora(model.lora_groups(), config.lora_rank,
           config.lora_alpha / static_cast<double>(config.lora_rank), flat.leaves()),
      head{.weight = *(flat.leaves().end() - 2), .bias = flat.leaves().back()} {}

TaskParameters::TaskParameters(const Backbone& model, std::int64_t classes, const RunConfig& config)
    : layout_(model.layout()),
      values_(model, classes, config),
      first_moment_(model, classes, config),
      second_moment_(model, classes, config) {
  values_.head = head_over(values_.head.weight, values_.head.bias, config);
}

void TaskParameters::initialise(std::uint64_t seed, std::int64_t task, const Head& head) {
  values_.lora.initialise(seed, task);
  if (head.classes == 0) {
    initialise_head(values_.head, seed, task);
  } else {
    load_head(values_.head, head);
  }
}

std::int64_t TaskParameters::head_offset() const {
  return values().range(0, values().leaves().size() - 2).numel();
}

AdapterAndHead TaskParameters::to_record(const Numbers& numbers) const {
  return {.lora = numbers.lora.to_records(layout_), .head = palimpsest::to_record(numbers.head)};
}

void TaskParameters::load(Numbers& numbers, const AdapterAndHead& record) const {
  numbers.lora.load(record.lora, layout_);
  load_head(numbers.head, record.head);
}

void TaskParameters::load(const TaskProgress& progress) {
  load(values_, progress.parameters);
  load(first_moment_, progress.first_moment);
  load(second_moment_, progress.second_moment);
}

void TaskParameters::save(TaskProgress& progress) const {
  progress.parameters = to_record(values_);
  progress.first_moment = to_record(first_moment_);
  progress.second_moment = to_record(second_moment_);
}

}  // namespace palimpsest
