// A program that goes wrong in the ways that faults.sh asks for: comm_toy MODE [DEADLINE_SECONDS].
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "palimpsest/comm/guarded_run.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr int kSteps = 20;
constexpr int kFaultStep = 11;
volatile std::sig_atomic_t asked_to_stop = 0;

void fail_as_asked(const std::string& mode, int rank) {
  if (mode == "differ") throw DivergedError(concat("loss of rank ", rank, " is not finite"));
  if (rank != 1) return;
  if (mode == "throw") throw InputError("pack.h5: expected 12 samples, found 7");
  if (mode == "kill") raise(SIGKILL);
  if (mode == "stop") raise(SIGSTOP);
}

int train(const std::string& mode, HostGroup& group, Watchdog& watchdog) {
  const int steps = mode == "wait" ? 100'000 : kSteps;
  for (int step = 0; step < steps; ++step) {
    watchdog.at(2, step);
    const Watchdog::Phase phase(watchdog, "toy step");
    if (step == kFaultStep) fail_as_asked(mode, group.rank());
    if (group.any(asked_to_stop != 0, "toy exchange")) return static_cast<int>(ExitCode::kRequeue);
    if (mode == "wait" && step == 0 && group.rank() == 0) std::fputs("waiting\n", stderr);
    if (mode == "wait") std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace
}  // namespace palimpsest

int main(int argc, char** argv) {
  using namespace palimpsest;
  return run_guarded([&](HostGroup& group, Watchdog& watchdog) {
    if (argc < 2) throw UsageError("expected a mode, found none: comm_toy MODE [DEADLINE_SECONDS]");
    if (argc > 2) watchdog.set_deadline(std::atof(argv[2]));
    std::signal(SIGUSR1, [](int) { asked_to_stop = 1; });
    return train(argv[1], group, watchdog);
  });
}
