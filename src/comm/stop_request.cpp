#include "palimpsest/comm/stop_request.h"

#include <csignal>
#include <cstdlib>

namespace palimpsest {
namespace {

volatile std::sig_atomic_t asked = 0;  // a signal handler can reach nothing else

}  // namespace

void listen_for_stop_requests() {
  std::signal(SIGUSR1, [](int) { asked = 1; });
  for (const char* launched : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (std::getenv(launched) != nullptr) return;
  }
  for (const int signal : {SIGTERM, SIGINT}) {
    std::signal(signal, [](int received) {
      asked = 1;
      std::signal(received, SIG_DFL);
    });
  }
}

bool StopRequest::here() const {
  if (!heeded_) return false;
  const bool late = after_seconds_ > 0 && group_.rank() == 0 && watch_.seconds() > after_seconds_;
  return asked != 0 || late;
}

void StopRequest::check() const {
  if (group_.any(here(), "agreement on a stop")) throw Stopped{};
}

}  // namespace palimpsest
