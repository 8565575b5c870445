#include "palimpsest/comm/stop_request.h"

#include <csignal>

namespace palimpsest {
namespace {

volatile std::sig_atomic_t asked = 0;  // a signal handler can reach nothing else

}  // namespace

void listen_for_stop_requests() {
  std::signal(SIGUSR1, [](int) { asked = 1; });
}

bool stop_requested(HostGroup& group) { return group.any(asked != 0, "agreement on a stop"); }

}  // namespace palimpsest
