#include "palimpsest/doctor/doctor.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/nccl.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

class Examination {
 public:
  Examination(const DoctorRequest& request, const Surroundings& surroundings, HostGroup& group,
              Watchdog& watchdog, const std::function<void(const Finding&)>& tell)
      : request_(request),
        surroundings_(surroundings),
        group_(group),
        watchdog_(watchdog),
        tell_(tell) {}

  Diagnosis run() {
    const std::string conflict = look_at_machines();
    measure_host();
    measure_devices(conflict);
    look_at_folder();
    return std::move(diagnosis_);
  }

 private:
  bool is_root() const { return group_.rank() == 0; }

  void add(Finding finding) {
    if (!is_root()) return;
    tell_(finding);
    diagnosis_.findings.push_back(std::move(finding));
  }
  void add(std::vector<Finding> findings) {
    for (Finding& finding : findings) add(std::move(finding));
  }

  RankFacts facts_of_this_rank() {
    const Watchdog::Phase phase(watchdog_, "looking at the machine");
    RankFacts facts = probe_machine(group_.node_rank(), surroundings_.versions);
    facts.device = probe_devices(surroundings_.cuda, group_.node_rank(), request_.share_device);
    return facts;
  }

  // Returns why devices can't be used; empty where they can.
  std::string look_at_machines() {
    const RankFacts here = facts_of_this_rank();
    for (const std::string& text : group_.gather(facts_to_json(here), "facts of all ranks")) {
      diagnosis_.ranks.push_back(facts_from_json(text));
    }
    std::string conflict = "no devices";
    if (!group_.any(!here.device.obstacle.empty(), "device agreement")) {
      placed_ = gather_devices(surroundings_.cuda.api, request_.share_device, group_);
      conflict = device_conflict(placed_, request_.share_device);
    }
    if (is_root()) {
      const AllFacts ranks = diagnosis_.ranks;
      add(judge_mpi(ranks));
      add(judge_ranks(ranks));
      add(judge_versions(ranks, request_));
      add(judge_threads(ranks, request_));
      add(judge_limits(ranks));
      add(judge_shared_memory(ranks));
      add(judge_variables(ranks));
      add(judge_devices(ranks, conflict, request_));
    }
    return conflict;
  }

  void measure_host() {
    if (group_.size() == 1) {
      add({Verdict::kSkipped, "clocks", "one rank", ""});
      add({Verdict::kSkipped, "all-reduce mpi", "one rank", ""});
      return;
    }
    const Watchdog::Phase phase(watchdog_, "exchanges of the host");
    const auto collectives = make_mpi_collectives(watchdog_);
    const std::vector<ClockOffset> offsets = clock_offsets(*collectives);
    if (is_root()) add(judge_clocks(diagnosis_.ranks, offsets));
    std::vector<float> memory(request_.largest_all_reduce / sizeof(float));
    record(*collectives,
           {.data = memory.data(),
            .stream = nullptr,
            .capacity = memory.size(),
            .put = [&](std::span<const float> values) { std::ranges::copy(values, memory.data()); },
            .get =
                [&](std::span<float> values) {
                  std::copy_n(memory.data(), values.size(), values.data());
                }});
  }

  void measure_devices(const std::string& conflict) {
    if (!conflict.empty()) {
      add({Verdict::kSkipped, "all-reduce nccl",
           placed_.empty() ? "no devices" : "the devices can't be used", ""});
      return;
    }
    const Watchdog::Phase phase(watchdog_, "exchanges of the devices");
    try {
      announce_shared_devices(placed_, group_.rank());
      const auto collectives =
          make_nccl_collectives(surroundings_.cuda.api->nccl, group_, watchdog_);
      reduce_on_device(*collectives);
    } catch (const Error& error) {
      // The other ranks may wait in this exchange: the job ends with the error's own code.
      add({Verdict::kFailure, "all-reduce nccl", error.what(),
           "NCCL_DEBUG=INFO tells what NCCL tried; see NCCL's variables in docs/cluster.md"});
      throw;
    }
  }

  void reduce_on_device(Collectives& collectives) {
    const CudaApi& api = *surroundings_.cuda.api;
    const auto check = [&api](int result, std::string_view what) {
      if (result != 0) throw Error(concat("cannot ", what, ": ", api.error_string(result)));
    };
    void* data = nullptr;
    check(api.probe.allocate(&data, request_.largest_all_reduce),
          concat("have ", request_.largest_all_reduce, " bytes of the device's memory"));
    const std::unique_ptr<void, int (*)(void*)> owner(data, api.probe.release);
    const int index = placed_[static_cast<std::size_t>(group_.rank())].index;
    record(collectives, {.data = data,
                         .stream = api.current_stream(index),
                         .capacity = request_.largest_all_reduce / sizeof(float),
                         .put =
                             [&](std::span<const float> values) {
                               check(api.probe.copy(data, values.data(), values.size_bytes()),
                                     "copy to the device");
                             },
                         .get =
                             [&](std::span<float> values) {
                               check(api.probe.copy(values.data(), data, values.size_bytes()),
                                     "copy from the device");
                             }});
  }

  void record(Collectives& collectives, const Workspace& workspace) {
    AllReduceReport report = time_all_reduce(collectives, group_, workspace);
    if (!is_root()) return;
    const std::string transport(collectives.name());
    add(judge_all_reduce(diagnosis_.ranks, transport, report));
    diagnosis_.all_reduces.emplace_back(transport, std::move(report));
  }

  void look_at_folder() {
    if (request_.out.empty()) {
      add({Verdict::kSkipped, "run folder", "--out FOLDER tries one", ""});
      return;
    }
    const Watchdog::Phase phase(watchdog_, "trying the run folder");
    std::vector<FolderView> views;
    const FolderReport report = try_folder(request_.out, group_, views);
    if (is_root()) add(judge_folder(diagnosis_.ranks, request_, report, views));
  }

  const DoctorRequest& request_;
  const Surroundings& surroundings_;
  HostGroup& group_;
  Watchdog& watchdog_;
  const std::function<void(const Finding&)>& tell_;
  std::vector<RankDevice> placed_;  // where every rank has a device
  Diagnosis diagnosis_;
};

}  // namespace

Diagnosis diagnose(const DoctorRequest& request, const Surroundings& surroundings, HostGroup& group,
                   Watchdog& watchdog, const std::function<void(const Finding&)>& tell) {
  return Examination(request, surroundings, group, watchdog, tell).run();
}

std::string to_json(const Diagnosis& diagnosis) {
  using nlohmann::ordered_json;
  ordered_json findings = ordered_json::array(), timings = ordered_json::array(),
               ranks = ordered_json::array();
  for (const Finding& finding : diagnosis.findings) {
    findings.push_back({{"check", finding.check},
                        {"verdict", word(finding.verdict)},
                        {"found", finding.found},
                        {"advice", finding.advice}});
  }
  const int size = static_cast<int>(diagnosis.ranks.size());
  for (const auto& [transport, report] : diagnosis.all_reduces) {
    for (const AllReduceTiming& timing : report.timings) {
      const auto bytes = static_cast<double>(timing.bytes);
      timings.push_back({{"transport", transport},
                         {"bytes", timing.bytes},
                         {"seconds", timing.seconds},
                         {"algorithm_bandwidth", algorithm_bandwidth(bytes, timing.seconds)},
                         {"bus_bandwidth", bus_bandwidth(bytes, timing.seconds, size)}});
    }
  }
  for (const RankFacts& facts : diagnosis.ranks) {
    ranks.push_back(ordered_json::parse(facts_to_json(facts)));
  }
  return ordered_json{{"failed", any_failed(diagnosis.findings)},
                      {"findings", findings},
                      {"all_reduce", timings},
                      {"ranks", ranks}}
             .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

}  // namespace palimpsest
