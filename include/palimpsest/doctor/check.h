#pragma once
// A row of doctor's table: what every rank measures, what is expected, and what to do otherwise.
// Measuring is collective; judging is a pure function of what the ranks have measured.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "palimpsest/comm/cuda_module.h"
#include "palimpsest/comm/device_choice.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"

namespace palimpsest {

// The settings of the run to come that matter to a check, and what the caller knows of its program.
struct DoctorRequest {
  DeviceKind device = DeviceKind::kAuto;
  bool share_device = false;
  std::int64_t threads = 1;  // of a rank
  bool allow_numerics_change = false;
  std::filesystem::path out;                               // the run folder; empty: not looked at
  std::size_t largest_all_reduce = std::size_t{64} << 20;  // bytes
  CudaLookup cuda = {};
  std::vector<std::pair<std::string, std::string>> versions = {};  // name and value
};

enum class Verdict {
  kOk,
  kWarning,  // a run works, but slower or less surely than it could
  kFailure,  // a run fails, or its results can't be trusted
  kSkipped,  // not looked at, and why
};

struct Judgement {
  Verdict verdict = Verdict::kOk;
  std::string found;  // with the ranks that differ, by name
};

// What the ranks have measured: of each an object of facts by name. A rank of another build may
// lack some.
class RankFacts {
 public:
  explicit RankFacts(std::vector<nlohmann::json> ranks) : ranks_(std::move(ranks)) {}

  std::size_t size() const { return ranks_.size(); }
  const nlohmann::json& operator[](std::size_t rank) const { return ranks_[rank]; }
  void add(std::size_t rank, const nlohmann::json& facts) { ranks_[rank].update(facts); }

  double number(std::size_t rank, std::string_view fact) const;     // 0 where it is missing
  std::string text(std::size_t rank, std::string_view fact) const;  // "unknown"
  std::vector<std::string> texts(std::string_view fact) const;      // of all ranks
  // The rank with the smallest number.
  std::size_t least(std::string_view fact) const;

  // "rank 3 (host b)".
  std::string name(std::size_t rank) const;
  // The ranks of each node, in the order of their lowest.
  std::vector<std::vector<std::size_t>> nodes() const;
  // Where values by rank differ: "'a' on ranks 0-6; 'b' on rank 7 (host n2)", the most common
  // first. Empty where all are alike.
  std::string differences(std::span<const std::string> values) const;
  // The text that all ranks have; `otherwise` where they differ.
  Judgement alike(std::string_view fact, Verdict otherwise) const;

 private:
  std::vector<nlohmann::json> ranks_;
};

// "rank 0", "ranks 0-2, 5".
std::string rank_list(std::span<const std::size_t> ranks);

// A rank that measures.
struct ThisRank {
  const DoctorRequest& request;
  HostGroup& group;
  Watchdog& watchdog;
  std::vector<RankDevice> devices = {};  // of all ranks, where they can compute on them
};

struct Check {
  std::string_view name, measures, expects, advice;
  // Facts of this rank; null: it is judged by what other checks have measured.
  nlohmann::json (*measure)(ThisRank& rank);
  Judgement (*judge)(const RankFacts& ranks, const DoctorRequest& request);
};

std::vector<Check> job_checks();
std::vector<Check> device_checks();
std::vector<Check> exchange_checks();
std::vector<Check> folder_checks();

}  // namespace palimpsest
