#pragma once
// What a stream requires of the classes of its tasks: --scenario.
#include <array>

#include "palimpsest/core/choice.h"

namespace palimpsest {

enum class Scenario { kClassIncremental, kTaskIncremental, kDomainIncremental };
constexpr auto choices(Scenario) {
  return std::array<std::string_view, 3>{"class-incremental", "task-incremental",
                                         "domain-incremental"};
}

// Whether one head, that of the newest task, serves all tasks.
constexpr bool shares_head(Scenario scenario) { return scenario == Scenario::kDomainIncremental; }

}  // namespace palimpsest
