#include "palimpsest/doctor/finding.h"

#include <algorithm>
#include <array>

namespace palimpsest {

std::string_view word(Verdict verdict) {
  constexpr std::array<std::string_view, 4> kWords = {"ok", "warn", "FAIL", "skip"};
  return kWords.at(static_cast<std::size_t>(verdict));
}

std::string line_of(const Finding& finding) {
  constexpr std::size_t kVerdictWidth = 6, kCheckWidth = 16;
  std::string line(word(finding.verdict));
  line.resize(kVerdictWidth, ' ');
  line += finding.check;
  line.resize(std::max(line.size() + 1, kVerdictWidth + kCheckWidth), ' ');
  line += finding.found;
  if (!finding.advice.empty()) line += ". " + finding.advice;
  return line;
}

bool any_failed(std::span<const Finding> findings) {
  return std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.verdict == Verdict::kFailure; });
}

}  // namespace palimpsest
