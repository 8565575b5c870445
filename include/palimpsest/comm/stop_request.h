#pragma once
// The wish, from outside, that this process save and stop: SIGUSR1, which launch/mpirun.sh sends
// for TERM and Ctrl-C.
#include "palimpsest/comm/host_group.h"

namespace palimpsest {

// From now on SIGUSR1 is remembered instead of ending the process.
void listen_for_stop_requests();

// Collective: true on every rank once one rank was asked.
bool stop_requested(HostGroup& group);

}  // namespace palimpsest
