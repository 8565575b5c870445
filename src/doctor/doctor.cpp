#include "palimpsest/doctor/doctor.h"

#include <algorithm>
#include <array>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using nlohmann::json;

std::string_view word(Verdict verdict) {
  constexpr std::array<std::string_view, 4> kWords = {"ok", "warn", "FAIL", "skip"};
  return kWords.at(static_cast<std::size_t>(verdict));
}

// Not every text that is measured is UTF-8: variables of the environment, names of hosts.
std::string dump_json(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::vector<Check> checks() {
  std::vector<Check> all;
  for (const auto& part : {job_checks(), device_checks(), exchange_checks(), folder_checks()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::string finding_line(const Finding& finding) {
  constexpr std::size_t kVerdictWidth = 6, kCheckWidth = 16;
  std::string line(word(finding.verdict));
  line.resize(kVerdictWidth, ' ');
  line += finding.check;
  line.resize(std::max(line.size() + 1, kVerdictWidth + kCheckWidth), ' ');
  line += finding.found;
  if (!finding.advice.empty()) line += ". " + finding.advice;
  return line;
}

bool Diagnosis::failed() const {
  return std::ranges::count(findings, Verdict::kFailure, &Finding::verdict) > 0;
}

std::string Diagnosis::to_json() const {
  json lines = json::array(), timings = json::array(), facts = json::array();
  for (const Finding& finding : findings)
    lines.push_back({{"check", finding.check},
                     {"verdict", word(finding.verdict)},
                     {"found", finding.found},
                     {"advice", finding.advice}});
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) facts.push_back(ranks[rank]);
  for (const char* const transport : {"mpi", "nccl"})
    for (const auto& timing : ranks[0].value(concat("all-reduce ", transport), json::array()))
      timings.push_back(timing);
  return dump_json(json{{"failed", failed()},
                        {"findings", lines},
                        {"all_reduce", timings},
                        {"ranks", facts}},
                   2) +
         "\n";
}

Diagnosis diagnose(const DoctorRequest& request, HostGroup& group, Watchdog& watchdog,
                   const std::function<void(const Finding&)>& report) {
  const bool is_root = group.rank() == 0;
  const auto size = static_cast<std::size_t>(is_root ? group.size() : 0);
  Diagnosis diagnosis{.ranks = RankFacts(std::vector<json>(size, json::object()))};
  ThisRank rank{.request = request, .group = group, .watchdog = watchdog};
  const auto add = [&](const Check& check, const Judgement& judged) {
    const bool is_fine = judged.verdict == Verdict::kOk || judged.verdict == Verdict::kSkipped;
    diagnosis.findings.push_back({.check = std::string(check.name),
                                  .verdict = judged.verdict,
                                  .found = judged.found,
                                  .advice = std::string(is_fine ? "" : check.advice)});
    report(diagnosis.findings.back());
  };
  for (const Check& check : checks()) {
    const Watchdog::Phase phase(watchdog, check.name);
    try {
      const std::string own = check.measure ? dump_json(check.measure(rank), -1) : "{}";
      const auto all = group.gather(own, "what the ranks measured");
      for (std::size_t i = 0; i < all.size(); ++i) diagnosis.ranks.add(i, json::parse(all[i]));
    } catch (const Error& error) {
      // The other ranks may wait: the job ends with the error's own code.
      if (is_root) add(check, {Verdict::kFailure, error.what()});
      throw;
    }
    if (is_root) add(check, check.judge(diagnosis.ranks, request));
  }
  return diagnosis;
}

}  // namespace palimpsest
