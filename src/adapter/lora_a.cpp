// The table of LoRA's A: a row for each. The file of a kind NAME defines NAME_a().
#include "lora_a.h"

#define PALIMPSEST_LORA_A(ROW) ROW(kaiming)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) LoraA name##_a();
#define PALIMPSEST_CALL(name) name##_a(),

PALIMPSEST_LORA_A(PALIMPSEST_DECLARE)

const std::vector<LoraA>& lora_a_kinds() {
  static const std::vector<LoraA> table{PALIMPSEST_LORA_A(PALIMPSEST_CALL)};
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

}  // namespace palimpsest
