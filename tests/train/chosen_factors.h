#pragma once
// A LoRA of which any factors learn.
#include "palimpsest/adapter/adapter.h"
#include "palimpsest/train/training_parts.h"

namespace palimpsest {

class ChosenFactors : public Adapter {
 public:
  ChosenFactors(Learns learns, double scale)
      : Adapter(parse_kind(adapters(), "lora")), learns_(learns), scale_(scale) {}
  Learns learns(std::int64_t) const override { return learns_; }
  std::int64_t rank() const override { return 4; }
  double scale() const override { return scale_; }
  void begin(Session& session, const Task& task, Lora& lora) const override {
    lora.initialise(session.config.seed, task.index);
  }

 private:
  Learns learns_;
  double scale_;
};

// The other parts as the settings name them.
inline TrainingParts parts_with(const RunConfig& config, Learns learns, double scale = 2.5) {
  TrainingParts parts = make_training_parts(config);
  parts.adapter = std::make_unique<ChosenFactors>(learns, scale);
  return parts;
}

}  // namespace palimpsest
