// The table of LoRA's A: a row for each. The file of a kind NAME defines NAME_a().
#include "lora_a.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_LORA_A(ROW) \
  ROW(kaiming_a) \
  ROW(covariance_a)

// clang-format on
#define PALIMPSEST_DECLARE_A(function) LoraA function();
PALIMPSEST_LORA_A(PALIMPSEST_DECLARE_A)

const std::vector<LoraA>& lora_a_kinds() {
  static const std::vector<LoraA> table{PALIMPSEST_LORA_A(PALIMPSEST_CALL_ROW)};
  return table;
}

}  // namespace palimpsest
