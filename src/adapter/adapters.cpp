// The table of adapters: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_adapter(), with its name, help and keys.
#include "adapters.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_ADAPTERS(ROW) \
  ROW(lora_adapter) \
  ROW(none_adapter)

// clang-format on

PALIMPSEST_PART_TABLE(adapters, Adapter, "adapter", PALIMPSEST_ADAPTERS)

std::vector<std::string> adapter_targets(std::string_view adapter) {
  return adapters().make(adapter)->targets();
}

}  // namespace palimpsest
