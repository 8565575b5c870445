#include "palimpsest/comm/watchdog.h"

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "heartbeat.h"
#include "mpi_check.h"
#include "palimpsest/comm/mpi_session.h"
#include "palimpsest/comm/phase_log.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
constexpr auto kTick = std::chrono::milliseconds(100);
// A longer gap between two ticks means that the whole process was suspended; that time does not
// count.
constexpr auto kSuspended = std::chrono::seconds(1);

std::string describe(std::string_view phase, int task, std::int64_t step,
                     std::string_view collective = "") {
  std::string text;
  if (!phase.empty()) text = concat("phase '", phase, "'");
  if (task >= 0) text += concat(text.empty() ? "" : ", ", "task ", task, ", step ", step);
  if (!collective.empty())
    text += concat(text.empty() ? "" : ", ", "last collective '", collective, "'");
  return text;
}

// Peers that went silent; else those that are in another phase. At most three are named.
std::string suspects(const std::filesystem::path& folder, const std::string& own_phase) {
  std::string silent;
  std::string elsewhere;
  int named = 0;
  for (const HeartbeatRecord& peer : read_heartbeats(folder)) {
    if (!peer.end.empty() || named == 3) continue;
    const std::int64_t age = std::time(nullptr) - peer.time;
    const std::string who = concat("rank ", peer.rank, " (host ", peer.host, ", ",
                                   describe(peer.phase, peer.task, peer.step, peer.collective));
    if (age >= 2) {
      silent += concat("; no sign of life for ", age, " s from ", who, ")");
      ++named;
    } else if (peer.phase != own_phase) {
      elsewhere += concat("; elsewhere is ", who, ")");
      ++named;
    }
  }
  return silent.empty() ? elsewhere : silent;
}

}  // namespace

struct Watchdog::Impl {
  struct Frame {
    std::size_t outer_length;  // of the path, without this phase
    Clock::time_point since;
    double deadline_factor;
  };

  mutable std::mutex mutex;
  std::condition_variable stopping;
  bool stop = false;
  double deadline = 0;
  std::vector<Frame> frames;
  std::string path;         // names of the frames, outermost first
  std::string failed_path;  // the path that an exception left
  int task = -1;
  std::int64_t step = -1;
  std::string collective;  // the last one begun
  std::filesystem::path folder;
  std::optional<Heartbeat> heartbeat;
  PhaseLog* log = nullptr;
  std::thread thread;

  void restart_clock() {
    if (!frames.empty()) frames.back().since = Clock::now();
  }

  void show_phase() {
    if (heartbeat) heartbeat->set("phase", path);
  }

  void show_time() {
    if (!heartbeat) return;
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%lld.%03ld", static_cast<long long>(now.tv_sec),
                  now.tv_nsec / 1'000'000);
    heartbeat->set("time", text.data());
  }

  bool expired() const {
    if (deadline <= 0 || frames.empty() || frames.back().deadline_factor <= 0) return false;
    const Frame& frame = frames.back();
    return Seconds(Clock::now() - frame.since).count() > deadline * frame.deadline_factor;
  }

  [[noreturn]] void end_job() {
    const std::string where = describe("", task, step, collective);
    const std::string message = concat(
        "palimpsest: ", this_process(), ": phase '", path, "' took longer than ",
        deadline * frames.back().deadline_factor, " s", where.empty() ? "" : " (" + where + ")",
        ": a peer is lost or hangs", suspects(folder, path),
        ". Ending the job. If the phase is only slow, raise --hang-seconds\n");
    if (heartbeat) heartbeat->end("deadline");
    std::fputs(message.c_str(), stderr);
    MpiSession::abort(static_cast<int>(ExitCode::kRankLost));
  }

  void watch() {
    std::unique_lock lock(mutex);
    Clock::time_point last_tick = Clock::now();
    while (!stopping.wait_for(lock, kTick, [this] { return stop; })) {
      const Clock::time_point now = Clock::now();
      if (now - last_tick > kSuspended) {
        for (Frame& frame : frames) frame.since += now - last_tick;
      }
      last_tick = now;
      show_time();
      if (expired()) end_job();
    }
  }
};

Watchdog::Watchdog(double deadline_seconds) : impl_(std::make_unique<Impl>()) {
  impl_->deadline = deadline_seconds;
  impl_->thread = std::thread([impl = impl_.get()] { impl->watch(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->stopping.notify_one();
  impl_->thread.join();
  end("done");
}

void Watchdog::set_deadline(double seconds) {
  const std::lock_guard lock(impl_->mutex);
  impl_->deadline = seconds;
}

void Watchdog::write_heartbeat(const std::filesystem::path& folder, int rank) {
  const std::lock_guard lock(impl_->mutex);
  impl_->folder = folder;
  impl_->heartbeat.reset();
  impl_->heartbeat.emplace(folder, rank);
  impl_->show_phase();
  impl_->show_time();
}

void Watchdog::end(std::string_view mark) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->heartbeat) impl_->heartbeat->end(mark);
}

void Watchdog::at(int task, std::int64_t step) {
  const std::lock_guard lock(impl_->mutex);
  impl_->task = task;
  impl_->step = step;
  if (impl_->log) impl_->log->at(task, step);
  impl_->restart_clock();
  if (!impl_->heartbeat) return;
  impl_->heartbeat->set("task", std::to_string(task));
  impl_->heartbeat->set("step", std::to_string(step));
}

void Watchdog::progress() {
  const std::lock_guard lock(impl_->mutex);
  impl_->restart_clock();
}

void Watchdog::collective(std::string_view name) {
  const std::lock_guard lock(impl_->mutex);
  impl_->collective = name;
  if (impl_->log) impl_->log->mark_collective();
  if (impl_->heartbeat) impl_->heartbeat->set("collective", name);
}

void Watchdog::set_phase_log(PhaseLog* log) {
  const std::lock_guard lock(impl_->mutex);
  impl_->log = log;
}

std::string Watchdog::position() const {
  const std::lock_guard lock(impl_->mutex);
  return describe(impl_->failed_path.empty() ? impl_->path : impl_->failed_path, impl_->task,
                  impl_->step);
}

Watchdog::Phase::Phase(Watchdog& watchdog, std::string_view name, double deadline_factor)
    : watchdog_(watchdog), exceptions_(std::uncaught_exceptions()) {
  Impl& impl = *watchdog_.impl_;
  const std::lock_guard lock(impl.mutex);
  if (exceptions_ == 0) impl.failed_path.clear();
  // Within a phase that may take longer, every phase may.
  const double around = impl.frames.empty() ? 1 : impl.frames.back().deadline_factor;
  impl.frames.push_back({impl.path.size(), Clock::now(), deadline_factor * around});
  if (!impl.path.empty()) impl.path += " > ";
  impl.path += name;
  impl.show_phase();
  if (impl.log) impl.log->begin(name);
}

Watchdog::Phase::~Phase() {
  Impl& impl = *watchdog_.impl_;
  const std::lock_guard lock(impl.mutex);
  if (std::uncaught_exceptions() > exceptions_ && impl.failed_path.empty())
    impl.failed_path = impl.path;
  impl.path.resize(impl.frames.back().outer_length);
  impl.frames.pop_back();
  impl.restart_clock();
  impl.show_phase();
  if (impl.log) impl.log->end();
}

}  // namespace palimpsest
