// A program that goes wrong in the ways that faults.sh requests: comm_toy MODE [DEADLINE_SECONDS].
// Modes that begin with "device" exchange through NCCL's stand-in, which queues.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "../host_nccl.h"
#include "palimpsest/comm/guarded_run.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
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

// Rank 1 stops before it joins the all-reduce, or once it has queued its part: one that is long
// enough to need it until the end.
int train_on_device(const std::string& mode, HostGroup& group, Watchdog& watchdog) {
  HostNccl nccl;
  nccl.queues = true;
  const auto collectives = make_nccl_collectives(nccl.api(), group, watchdog);
  std::vector<float> gradient(std::size_t{1} << 22);
  for (int step = 0; step < kSteps; ++step) {
    watchdog.at(2, step);
    const Watchdog::Phase phase(watchdog, "toy step");
    const bool fails = group.rank() == 1 && step == kFaultStep;
    if (fails && mode == "device-stop-before") raise(SIGSTOP);
    collectives->all_reduce_sum({gradient.data(), gradient.size(), DataType::kFloat32, nullptr});
    if (fails && mode == "device-stop-within") raise(SIGSTOP);
    if (fails && mode == "device-kill") raise(SIGKILL);
    collectives->wait(nullptr);
  }
  return static_cast<int>(ExitCode::kDone);
}

// Every rank has a part, that of rank 1 the longest: three deadlines, in small pieces unless it is
// to be silent.
int work_together(const std::string& mode, double deadline, HostGroup& group) {
  constexpr int kPieces = 30;
  const auto piece = std::chrono::duration<double>(3 * deadline / kPieces);
  group.work("long part", [&] {
    for (int i = 0; i < kPieces; ++i) {
      if (i == 5 && mode == "part-alike") throw InputError("pack.h5: expected 12 samples");
      if (group.rank() == 0 && i == 1 && mode != "part-alike") return;  // long before the others
      if (group.rank() == 2 && i == 10) break;
      if (i == kPieces / 2 && mode == "part-kill" && group.rank() == 1) raise(SIGKILL);
      if (i == kPieces / 2 && mode == "part-stop" && group.rank() == 1) raise(SIGSTOP);
      if (i == kPieces / 2 && mode == "part-throw" && group.rank() == 1)
        throw InputError("pack.h5: expected 12 samples, found 7");
      std::this_thread::sleep_for(piece);
      if (mode != "part-silent" || group.rank() != 1) progress_made();
    }
    if (mode == "part-throw-later") throw DivergedError(concat("of rank ", group.rank()));
  });
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
    const std::string mode = argv[1];
    if (mode.starts_with("part")) return work_together(mode, std::atof(argv[2]), group);
    return mode.starts_with("device") ? train_on_device(mode, group, watchdog)
                                      : train(mode, group, watchdog);
  });
}
