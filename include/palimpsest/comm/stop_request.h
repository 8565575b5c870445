#pragma once
// The wish that this job save and stop: SIGUSR1, which launch/mpirun.sh sends for TERM and Ctrl-C,
// or a limit of time.
#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/stopwatch.h"

namespace palimpsest {

// From now on SIGUSR1 is remembered instead of ending the process.
void listen_for_stop_requests();

// Thrown on every rank alike, once all have agreed to stop. No error: what was to be saved is.
struct Stopped {};

class StopRequest {
 public:
  // after_seconds: from now on, by the clock of rank 0; 0 for no limit.
  StopRequest(HostGroup& group, double after_seconds)
      : group_(group), after_seconds_(after_seconds) {}

  // Whether this rank was asked. Others may not know yet.
  bool here() const;

  // Collective: throws Stopped on every rank once one was asked.
  void check() const;

 private:
  HostGroup& group_;
  double after_seconds_;
  Stopwatch watch_;
};

}  // namespace palimpsest
