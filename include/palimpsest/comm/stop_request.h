#pragma once
// The wish that this job save and stop: SIGUSR1, which launch/mpirun.sh sends for TERM and Ctrl-C,
// or a limit of time.
#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/stopwatch.h"

namespace palimpsest {

// From now on SIGUSR1 is remembered instead of ending the process; in a process that no launcher
// has started, the first SIGTERM and the first SIGINT as well. (A launcher sends those to end its
// ranks.)
void listen_for_stop_requests();

// Thrown on every rank alike, once all have agreed to stop. No error: what was to be saved is.
struct Stopped {};

class StopRequest {
 public:
  // after_seconds: from now on, by the clock of rank 0; 0 for no limit.
  StopRequest(HostGroup& group, double after_seconds)
      : group_(group), after_seconds_(after_seconds) {}

  // Called on every rank at the same place. Until then no request is heeded: what was done so far
  // would have to be done again, and a run that is stopped again and again never got to its end.
  void heed() { heeded_ = true; }

  // Whether this rank was asked. Others may not know yet.
  bool here() const;

  // Collective: throws Stopped on every rank once one was asked.
  void check() const;

 private:
  HostGroup& group_;
  double after_seconds_;
  Stopwatch watch_;
  bool heeded_ = false;
};

}  // namespace palimpsest
