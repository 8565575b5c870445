#pragma once
// How parameters move: AdamW with a learning rate for the adapter and one for heads.
#include "palimpsest/config/run_config.h"
#include "palimpsest/optimizer/schedule.h"

namespace palimpsest {

struct OptimizerSettings {
  double learning_rate = 1e-3, head_learning_rate = 1e-2;  // at their highest
  double weight_decay = 0;
  double clip_norm = 0;  // greatest norm of a gradient; 0: none
  Schedule schedule;
};

OptimizerSettings optimizer_settings(const RunConfig& config);

}  // namespace palimpsest
