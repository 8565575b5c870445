#pragma once
// --profile: a trace of what every rank did when, and at the end a table of phases and the slowest
// rank.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/phase_log.h"
#include "palimpsest/comm/watchdog.h"
#include "trace_file.h"

namespace palimpsest {

// Every rank listens to its watchdog for phases. Ranks agree on the clocks' zero by a barrier, and
// send their phases to rank 0 between tasks.
class Profile {
 public:
  // Collective. The group and the watchdog outlive it.
  Profile(HostGroup& group, Watchdog& watchdog);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  // On rank 0, once there is a run folder: profile.json in it.
  void open_file(const std::filesystem::path& run_folder);

  // Collective. The phases from now on are those of this task, counted from 0.
  void begin_task(std::int64_t task);

  // Collective. Writes what is left, and returns the table on rank 0.
  std::string finish();

 private:
  void write_events();
  // What is around the phases, from now on; "" for nothing.
  void enter(const std::string& name);

  HostGroup& group_;
  Watchdog& watchdog_;
  PhaseLog log_;
  std::string rank_names_;  // of all ranks, as the trace has them; on rank 0
  bool is_within_ = false;
  std::optional<TraceFile> file_;  // on rank 0
};

}  // namespace palimpsest
