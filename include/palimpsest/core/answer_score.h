#pragma once
// How a decoder's answer to a prompt is compared with the sample's completion.
#include <array>
#include <string_view>

#include "palimpsest/core/choice.h"

namespace palimpsest {

enum class AnswerScore { kExactMatch, kRougeL, kChoice };
constexpr auto choices(AnswerScore) {
  return std::array<std::string_view, 3>{"exact-match", "rouge-l", "choice"};
}

}  // namespace palimpsest
