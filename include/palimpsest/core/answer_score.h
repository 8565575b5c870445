#pragma once
// How what a decoder writes after a prompt is compared with the sample's completion.
#include <array>
#include <string_view>

#include "palimpsest/core/choice.h"

namespace palimpsest {

enum class AnswerScore { kExactMatch, kRougeL };
constexpr auto choices(AnswerScore) {
  return std::array<std::string_view, 2>{"exact-match", "rouge-l"};
}

}  // namespace palimpsest
