#pragma once
// One line of palimpsest doctor: what was looked at, what was found, and what to do about it.
#include <span>
#include <string>
#include <string_view>

namespace palimpsest {

enum class Verdict {
  kOk,
  kWarning,  // a run works, but slower or less surely than it could
  kFailure,  // a run fails, or its results can't be trusted
  kSkipped,  // not looked at, and why
};

struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string check;   // in a word or two
  std::string found;   // with the ranks that differ, by name
  std::string advice;  // what to do; empty where there is nothing to do

  bool operator==(const Finding&) const = default;
};

// "ok", "warn", "FAIL", "skip".
std::string_view word(Verdict verdict);

// "warn  threads        2 ranks of 4 threads on 2 cores. Set --threads 1".
std::string line_of(const Finding& finding);

bool any_failed(std::span<const Finding> findings);

}  // namespace palimpsest
