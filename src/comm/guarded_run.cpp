#include "palimpsest/comm/guarded_run.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <thread>

#include "mpi_check.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/mpi_session.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr double kStartSeconds = 300;  // until the configuration is known
constexpr auto kPatience = std::chrono::seconds(2);

struct Failure {
  std::string message;
  int code = static_cast<int>(ExitCode::kFailed);
};

// Call it from a catch clause.
Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.what(), static_cast<int>(error.code())};
  } catch (const std::exception& error) {
    return {error.what()};
  } catch (...) {
    return {"an exception that is no std::exception"};
  }
}

void print(const std::string& who, const std::string& where, const Failure& failure) {
  const std::string line = concat("palimpsest: ", who.empty() ? "" : who + ": ",
                                  where.empty() ? "" : where + ": ", failure.message, "\n");
  std::fflush(stdout);
  std::fputs(line.c_str(), stderr);
}

// The ranks' failures, reduced. MPI may write to it as long as it lives.
struct Comparison {
  std::array<std::int64_t, 3> own{};
  std::array<std::int64_t, 3> least{};

  bool alike() const { return least[0] == -least[1]; }
  int code() const { return static_cast<int>(least[2]); }
};

// False when not all ranks failed within the time.
bool compare_with_others(const Failure& failure, Comparison& comparison) {
  const auto hash = static_cast<std::int64_t>(std::hash<std::string>()(failure.message) >> 1);
  // A lost rank is the consequence of another rank's failure: its code comes last.
  const bool is_consequence = failure.code == static_cast<int>(ExitCode::kRankLost);
  comparison.own = {hash, -hash, is_consequence ? std::numeric_limits<int>::max() : failure.code};
  MPI_Request request = MPI_REQUEST_NULL;
  int code = MPI_Iallreduce(comparison.own.data(), comparison.least.data(), 3, MPI_INT64_T, MPI_MIN,
                            MPI_COMM_WORLD, &request);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  int done = 0;
  while (code == MPI_SUCCESS && !done && std::chrono::steady_clock::now() < deadline) {
    code = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return code == MPI_SUCCESS && done;
}

// The exit code, where all ranks failed; otherwise this ends the job.
int report(const Failure& failure, const std::string& where, const HostGroup& group) {
  Comparison comparison;
  const bool all_failed = compare_with_others(failure, comparison);
  if (!all_failed || !comparison.alike()) {
    print(this_process(), where, failure);
  } else if (group.rank() == 0) {
    print("", where, failure);
  }
  if (!all_failed) MpiSession::abort(failure.code);
  return comparison.alike() ? failure.code : comparison.code();
}

int run_body(const std::function<int(HostGroup&, Watchdog&)>& body, HostGroup& group,
             Watchdog& watchdog) {
  std::optional<Failure> failure;
  try {
    if (const char* folder = std::getenv("PALIMPSEST_HEARTBEATS"))
      watchdog.write_heartbeat(folder, group.rank());
    const int code = body(group, watchdog);
    group.barrier("end of the run");
    return code;
  } catch (...) {
    failure = current_failure();
  }
  watchdog.end("error");
  return report(*failure, watchdog.position(), group);
}

}  // namespace

int run_guarded(const std::function<int(HostGroup&, Watchdog&)>& body) {
  Watchdog watchdog(kStartSeconds);
  try {
    std::optional<MpiSession> session;
    {
      const Watchdog::Phase phase(watchdog, "MPI start");
      session.emplace();
    }
    int code = 0;
    {
      HostGroup group(watchdog);
      code = run_body(body, group, watchdog);
    }
    const Watchdog::Phase phase(watchdog, "MPI end");
    session.reset();
    return code;
  } catch (...) {
    const Failure failure = current_failure();
    print(this_process(), watchdog.position(), failure);
    return failure.code;
  }
}

}  // namespace palimpsest
