#pragma once
// What one task trains, adapter and head, in one flat vector; and the optimizer's moments of them,
// in two more of the same shape.
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "palimpsest/format/records.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/model/flat_parameters.h"
#include "palimpsest/model/lora.h"
#include "palimpsest/train/training_parts.h"

namespace palimpsest {

class TaskParameters {
 public:
  // Zeros. In the flat vector: factors that learn, group by group, a before b; then the head.
  TaskParameters(const Backbone& model, std::int64_t task, std::int64_t classes,
                 const TrainingParts& parts);

  // To be written as the task begins.
  Lora& lora() { return values_.lora; }
  // As they were when `progress` was made. Throws InputError when it is of another model.
  void load(const TaskProgress& progress);
  // Copies parameters and moments, on the host. Moments of what doesn't learn are zero.
  void save(TaskProgress& progress) const;

  const Lora& lora() const { return values_.lora; }
  const DeviceHead& head() const { return values_.head; }
  Learns learns() const { return learns_; }
  // Whether the task trains a head, and doesn't answer by the backbone's output layer.
  bool has_head() const { return head().kind->weights() != HeadWeights::kOfBackbone; }
  AdapterAndHead to_record() const { return to_record(values_); }

  // The flat vectors; the head begins at head_offset().
  const FlatParameters& values() const { return values_.flat; }
  const at::Tensor& first_moment() const { return first_moment_.flat.flat(); }
  const at::Tensor& second_moment() const { return second_moment_.flat.flat(); }
  std::int64_t head_offset() const;

 private:
  // One number for each parameter, with the names that it goes by.
  struct ParameterTensors {
    FlatParameters flat;
    Lora lora;
    DeviceHead head;
  };
  static ParameterTensors zeros(const Backbone& model, std::int64_t classes,
                                const TrainingParts& parts, Learns learns);
  AdapterAndHead to_record(const ParameterTensors& numbers) const;
  void load(ParameterTensors& numbers, const AdapterAndHead& record) const;

  const AdaptedLayout& layout_;
  Learns learns_;
  ParameterTensors values_, first_moment_, second_moment_;
};

}  // namespace palimpsest
