#pragma once
// The life of a program on every rank: MPI, watchdog and heartbeat around its work, and one way out
// for every exception.
#include <functional>

namespace palimpsest {

class HostGroup;
class Watchdog;

// Starts MPI, runs `body` and returns its exit code after all ranks have reached the end. Call it
// once, from main:
//
//   int main(int argc, char** argv) {
//     return run_guarded([&](HostGroup& group, Watchdog& watchdog) {
//       const RunConfig config = parse(argc, argv);
//       watchdog.set_deadline(config.hang_seconds);
//       ...
//       return static_cast<int>(ExitCode::kDone);
//     });
//   }
//
// When `body` throws, the other ranks get 2 s to throw as well:
// - All threw the same message (bad usage, a bad input file): rank 0 prints it, MPI ends in order,
// every rank returns the
//   error's code.
// - All threw, but not the same: every rank prints its own, and all return the lowest code that is
// not kRankLost.
// - Not all threw: this rank prints its message and ends the job with its own code.
// A message reads "palimpsest: rank 1 (host h): phase 'x', task 2, step 117: <what>". Exceptions
// that are no Error count as kFailed. MPI_COMM_WORLD itself is used for this agreement alone:
// everything else works on duplicates of it.
//
// PALIMPSEST_HEARTBEATS in the environment names the folder of the heartbeat files;
// launch/mpirun.sh sets and reads it.
int run_guarded(const std::function<int(HostGroup&, Watchdog&)>& body);

}  // namespace palimpsest
