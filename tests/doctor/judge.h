#pragma once
// Judging by name, of facts that a test makes up.
#include <gmock/gmock.h>

#include <algorithm>

#include "palimpsest/doctor/doctor.h"

namespace palimpsest {

using Facts = std::vector<nlohmann::json>;

inline Judgement judge(const std::string& name, const Facts& facts,
                       const DoctorRequest& request = {}) {
  const std::vector<Check> all = checks();
  const auto check = std::ranges::find(all, name, &Check::name);
  if (check != all.end()) return check->judge(RankFacts(facts), request);
  ADD_FAILURE() << "no check is called " << name;
  return {};
}

inline void expect(const Judgement& judgement, Verdict verdict, const std::string& found = "") {
  EXPECT_EQ(judgement.verdict, verdict) << judgement.found;
  EXPECT_THAT(judgement.found, testing::HasSubstr(found));
}

}  // namespace palimpsest
