#pragma once
// How LoRA's A begins, and whether it learns: the key `a`. A kind is one file and one row of
// the table.
#include <string_view>
#include <vector>

#include "palimpsest/adapter/adapter.h"

namespace palimpsest {

struct LoraA {
  std::string_view name;
  bool learns = true;
  // Collective: writes A; B is zero. The model has theta_hat_{t-1}.
  void (*begin)(Session& session, const Task& task, Lora& lora) = nullptr;
};

const std::vector<LoraA>& lora_a_kinds();

}  // namespace palimpsest
