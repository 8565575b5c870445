#pragma once
// Merged weights with their heads, from wherever they were saved: a run folder, a state, or what
// palimpsest merge has written.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/config/run_config.h"
#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

struct SavedWeights {
  std::string source;              // for people
  std::filesystem::path run = {};  // the run folder; empty of merged weights
  AdaptedLayout layout;
  std::vector<float> weights;                     // theta_hat - theta_hat_0; none: not adapted
  std::vector<std::vector<std::string>> classes;  // by task
  std::vector<std::string> task_names;  // by task; of a run's state, where domains share labels
  NamedTensors memory;                  // of heads and classifier
  std::string backbone_sha256, backbone_shape_sha256, pack_content_sha256;
  bool is_of_adapters = false;    // merged of adapters, which have no recorded settings
  std::int64_t tasks_before = 0;  // learned by the run that this one continues (--continue)
  RunConfig config;               // as recorded; with its paths where there is a run folder
  std::string post_hoc =
      {};  // what is to be known before a number is read off them; "" for a run's own
};

// The classes of the heads, in the order of their logits.
std::vector<std::string> known_classes(const SavedWeights& saved);

// A run folder means its newest state. is_hashed: as in RunFolder::newest_weights(), of a state.
// Throws InputError as the readers of records do, and for weights without heads.
SavedWeights read_saved_weights(const std::filesystem::path& path, bool is_hashed);

}  // namespace palimpsest
