#include "palimpsest/comm/stop_request.h"

#include <csignal>

namespace palimpsest {
namespace {

volatile std::sig_atomic_t asked = 0;  // a signal handler can reach nothing else

}  // namespace

void listen_for_stop_requests() {
  std::signal(SIGUSR1, [](int) { asked = 1; });
}

bool StopRequest::here() const {
  const bool late = after_seconds_ > 0 && group_.rank() == 0 && watch_.seconds() > after_seconds_;
  return asked != 0 || late;
}

void StopRequest::check() const {
  if (group_.any(here(), "agreement on a stop")) throw Stopped{};
}

}  // namespace palimpsest
