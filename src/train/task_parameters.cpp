#include "palimpsest/train/task_parameters.h"

#include <ATen/ATen.h>

namespace palimpsest {

TaskParameters::ParameterTensors TaskParameters::zeros(const Backbone& model, std::int64_t classes,
                                                       const TrainingParts& parts, Learns learns) {
  const std::int64_t rank = parts.adapter->rank();
  std::vector<std::vector<std::int64_t>> shapes;
  for (const LoraGroup& group : model.lora_groups()) {
    if (learns.a) shapes.push_back(Lora::a_shape(group, rank));
    if (learns.b) shapes.push_back(Lora::b_shape(group, rank));
  }
  const bool has_head = parts.head->weights() != HeadWeights::kOfBackbone;
  if (has_head) {
    shapes.push_back({classes, model.feature_size()});
    shapes.push_back({classes});
  }
  FlatParameters flat(shapes, model.device());

  auto leaf = flat.leaves().begin();
  std::vector<Lora::Factors> factors;
  for (const LoraGroup& group : model.lora_groups()) {
    const auto factor = [&](bool is_trained, const std::vector<std::int64_t>& shape) {
      return is_trained ? *leaf++ : at::zeros(shape, flat.flat().options());
    };
    at::Tensor a = factor(learns.a, Lora::a_shape(group, rank));
    at::Tensor b = factor(learns.b, Lora::b_shape(group, rank));
    factors.push_back({.a = std::move(a), .b = std::move(b)});
  }
  Lora lora(model.lora_groups(), rank, parts.adapter->scale(), std::move(factors));
  DeviceHead head{.weight = model.output_layer(), .bias = {}, .kind = parts.head};
  if (has_head) {
    head.weight = leaf[0];
    head.bias = leaf[1];
  }
  return {.flat = std::move(flat), .lora = std::move(lora), .head = std::move(head)};
}

TaskParameters::TaskParameters(const Backbone& model, std::int64_t task, std::int64_t classes,
                               const TrainingParts& parts)
    : layout_(model.layout()),
      learns_(parts.adapter->learns(task)),
      values_(zeros(model, classes, parts, learns_)),
      first_moment_(zeros(model, classes, parts, learns_)),
      second_moment_(zeros(model, classes, parts, learns_)) {}

std::int64_t TaskParameters::head_offset() const {
  return values().range(0, values().leaves().size() - (has_head() ? 2 : 0)).numel();
}

AdapterAndHead TaskParameters::to_record(const ParameterTensors& numbers) const {
  return {.lora = numbers.lora.to_records(layout_),
          .head = has_head() ? palimpsest::to_record(numbers.head)
                             : Head{.kind = std::string(numbers.head.kind->recorded_kind())}};
}

void TaskParameters::load(ParameterTensors& numbers, const AdapterAndHead& record) const {
  numbers.lora.load(record.lora, layout_);
  if (has_head()) load_head(numbers.head, record.head);
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
