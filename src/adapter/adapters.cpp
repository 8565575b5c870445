// The table of adapters: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_adapter(), with its name, help and keys.
#include "adapters.h"

#define PALIMPSEST_ADAPTERS(ROW) \
  ROW(lora)                      \
  ROW(none)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) AdapterKind name##_adapter();
#define PALIMPSEST_CALL(name) name##_adapter(),

PALIMPSEST_ADAPTERS(PALIMPSEST_DECLARE)

const PartTable<Adapter>& adapters() {
  static const PartTable<Adapter> table("adapter", {PALIMPSEST_ADAPTERS(PALIMPSEST_CALL)});
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

std::unique_ptr<Adapter> make_adapter(const RunConfig& config) {
  return adapters().make(config.adapter, {{"rank", static_cast<double>(config.lora_rank)},
                                          {"alpha", config.lora_alpha}});
}

}  // namespace palimpsest
