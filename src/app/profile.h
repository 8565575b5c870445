#pragma once
// --profile: a trace of what every rank did when, and at the end a table of phases and the slowest
// rank.
#include <cstdint>
#include <filesystem>
#include <optional>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/phase_log.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/run_events.h"
#include "trace_file.h"

namespace palimpsest {

// Listens on every rank: to the watchdog for phases, and to the events that all ranks tell for the
// tasks around them. Ranks agree on the clocks' zero by a barrier, and bring their events to rank 0
// between tasks.
class Profile : public RunListener {
 public:
  // Collective. The group and the watchdog outlive it.
  Profile(HostGroup& group, Watchdog& watchdog);
  ~Profile() override;

  // On rank 0, once there is a run folder: profile.json in it.
  void open_file(const std::filesystem::path& run_folder);

  void on(const RunStarted&) override;   // collective
  void on(const TaskStarted&) override;  // collective

  // Collective. Writes what is left, and returns the table on rank 0.
  std::string finish();

 private:
  void write_events();
  // What is around the phases, from now on; "" for nothing.
  void enter(const std::string& name);

  HostGroup& group_;
  Watchdog& watchdog_;
  PhaseLog log_;
  bool is_within_ = false;
  std::optional<TraceFile> file_;  // on rank 0
};

}  // namespace palimpsest
