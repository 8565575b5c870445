#pragma once
// The wish that this job stop: SIGUSR1, which launch/mpirun.sh sends for TERM, HUP and Ctrl-C;
// these signals themselves in a process that no launcher has started; or a limit of time.
#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/stopwatch.h"

namespace palimpsest {

// What a request means to a program.
enum class OnStop {
  kSave,  // it saves, at the next step, what the same command goes on with
  kEnd,   // it has nothing to save: it ends at the next StopRequest::check(), or after a second
};

// From now on SIGUSR1 is a request instead of ending the process; in a process that no launcher
// has started, the first SIGTERM, SIGINT and SIGHUP as well. (A launcher sends those to end its
// ranks.) A second one of these ends the process at once. May be called again with another meaning.
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

  // Called on every rank at the same place. Until then no request is heeded: what was done so far
  // would have to be done again, and a run that is stopped again and again never got to its end.
  void heed();

  // The signal by which this rank was asked; 0: not asked. Others may not know yet.
  int here() const;

  // Collective: throws Stopped on every rank once one was asked.
  void check() const;

 private:
  HostGroup& group_;
  double after_seconds_;
  Stopwatch watch_;
  bool heeded_ = false;
};

}  // namespace palimpsest
