#pragma once
// What the files of the adapters share.
#include "palimpsest/adapter/adapter.h"
#include "palimpsest/model/block_layers.h"

namespace palimpsest {

// The key `targets`.
inline SettingSpec targets_key() {
  return {.name = "targets",
          .type = Type::kWords,
          .default_value = std::vector<std::string>{"key", "value"},
          .choices = {kBlockMatrices.begin(), kBlockMatrices.end()},
          .help =
              "Projections of every block that the adapter changes, and that records name. "
              "Paper: key+value.",
          .other_names = {"target-modules"}};
}

}  // namespace palimpsest
