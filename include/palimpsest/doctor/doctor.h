#pragma once
// palimpsest doctor: goes through a table of checks with all ranks before a run does, and says what
// is wrong and what to do about it.
#include <functional>
#include <string>
#include <vector>

#include "palimpsest/doctor/check.h"

namespace palimpsest {

// All checks, in the order in which they are made.
std::vector<Check> checks();

struct Finding {
  std::string check;
  Verdict verdict = Verdict::kOk;
  std::string found;
  std::string advice;  // empty where there is nothing to do
};

// "warn  threads        2 ranks of 4 threads on 2 cores. Start fewer ranks".
std::string finding_line(const Finding& finding);

// On rank 0; elsewhere empty.
struct Diagnosis {
  std::vector<Finding> findings = {};
  RankFacts ranks{{}};

  bool failed() const;
  // One JSON object, for programs; docs/planning.md lists its fields.
  std::string to_json() const;
};

// Collective. `report` gets each finding on rank 0 as it is made, so that those before a hang are
// known: that ends the job by the watchdog, as everywhere. A check that throws is a failure, and
// the error is thrown on.
Diagnosis diagnose(const DoctorRequest& request, HostGroup& group, Watchdog& watchdog,
                   const std::function<void(const Finding&)>& report);

}  // namespace palimpsest
