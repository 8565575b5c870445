#pragma once
// A request to stop this job: SIGUSR1, which launch/mpirun.sh sends for TERM, HUP and Ctrl-C;
// these signals themselves in a process that no launcher has started; or a limit of time.
#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/stopwatch.h"

namespace palimpsest {

// What a request means to a program.
enum class OnStop {
  kSave,  // it saves, at the next step, what the same command resumes from
  kEnd,   // it has nothing to save: it ends at the next StopRequest::check(), or after a second
};

// From now on SIGUSR1 is a request instead of ending the process; in a process that no launcher
// has started, the first SIGTERM, SIGINT and SIGHUP as well. (A launcher sends those to end its
// ranks.) A second one ends the process at once. A later call changes the meaning.
void listen_for_stop_requests(OnStop meaning);

// The work is done, and what came out is being written: a first request doesn't end that any more.
void ignore_stop_requests();

// Thrown on every rank alike, once all have agreed to stop. No error: what was to be saved is.
struct Stopped {
  int signal;  // that asked; of a limit of time: SIGUSR1
};

class StopRequest {
 public:
  // after_seconds: from now on, by the clock of rank 0; 0 for no limit.
  StopRequest(HostGroup& group, double after_seconds)
      : group_(group), after_seconds_(after_seconds) {}

  // Called on every rank at the same place: from now on check() throws. Before, requests wait: a
  // stop would lose the work done so far, and a job that is stopped early each time would never
  // end.
  void accept_requests();

  // The signal by which this rank was asked; 0: not asked. Others may not know yet.
  int local_signal() const;

  // Collective: throws Stopped on every rank once one was asked.
  void check() const;

 private:
  HostGroup& group_;
  double after_seconds_;
  Stopwatch watch_;
  bool accepts_ = false;
};

}  // namespace palimpsest
