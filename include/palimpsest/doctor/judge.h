#pragma once
// From what the ranks found to the lines that doctor prints. Pure functions: facts and timings by
// rank go in, findings come out.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/comm/device_choice.h"
#include "palimpsest/doctor/facts.h"
#include "palimpsest/doctor/finding.h"
#include "palimpsest/doctor/measure.h"

namespace palimpsest {

// The settings of the run to come that matter here.
struct DoctorRequest {
  std::string device = "auto";  // auto | cpu | cuda
  bool share_device = false;
  std::int64_t threads = 1;  // of a rank
  bool allow_numerics_change = false;
  std::filesystem::path out;                               // the run folder; empty: not looked at
  std::size_t largest_all_reduce = std::size_t{64} << 20;  // bytes
};

using AllFacts = std::span<const RankFacts>;  // by rank

// "rank 3 (host b)".
std::string rank_name(AllFacts ranks, std::size_t rank);
// "rank 0", "ranks 0-2, 5".
std::string rank_list(std::span<const std::size_t> ranks);
// Where the values of the ranks differ: "'a' on ranks 0-6; 'b' on rank 7 (host n2)", the most
// common first. Empty where all are alike.
std::string differences(AllFacts ranks, std::span<const std::string> values);

// Of the processes.
Finding judge_mpi(AllFacts ranks);
Finding judge_ranks(AllFacts ranks);
Finding judge_versions(AllFacts ranks, const DoctorRequest& request);
Finding judge_threads(AllFacts ranks, const DoctorRequest& request);

// Of the machine.
Finding judge_limits(AllFacts ranks);
Finding judge_shared_memory(AllFacts ranks);
Finding judge_variables(AllFacts ranks);

// Of the devices: devices, driver, NCCL, peer access. `conflict` is what device_conflict says.
std::vector<Finding> judge_devices(AllFacts ranks, const std::string& conflict,
                                   const DoctorRequest& request);

// Of what was measured. `offsets` by rank.
Finding judge_clocks(AllFacts ranks, std::span<const ClockOffset> offsets);
Finding judge_all_reduce(AllFacts ranks, std::string_view transport, const AllReduceReport& report);
// `views` by rank.
std::vector<Finding> judge_folder(AllFacts ranks, const DoctorRequest& request,
                                  const FolderReport& report, std::span<const FolderView> views);

}  // namespace palimpsest
