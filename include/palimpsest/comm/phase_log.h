#pragma once
// When each phase of a rank began and ended: the events of a trace, and the time spent in every
// kind of phase.
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace palimpsest {

// A phase that has ended. Times in nanoseconds since the log began.
struct PhaseEvent {
  std::string name;
  bool is_collective = false;
  std::int64_t begin = 0, duration = 0;
  int task = -1;  // of the training when it began; -1: none yet
  std::int64_t step = -1;
};

// All phases of one name.
struct PhaseTotal {
  std::int64_t times = 0;
  std::int64_t own = 0;  // nanoseconds in them, without those in phases within
};

// Phases nest; an event is kept when its phase ends, so that what is within comes first. Called by
// one thread, or under the watchdog's lock.
class PhaseLog {
 public:
  using Clock = std::chrono::steady_clock;
  using Totals = std::map<std::pair<std::string, bool>, PhaseTotal>;  // by name, is_collective

  // Its clock starts now. Keeps the first `most` events, counts the others, and totals all.
  explicit PhaseLog(std::int64_t most) : most_(most) {}

  void begin(std::string_view name);
  // Ends the innermost phase. One that began before the log did is no part of it.
  void end();
  // The innermost phase is a collective.
  void mark_collective();
  // From now on phases belong to this step of this task.
  void at(int task, std::int64_t step);

  // What has ended since the last call.
  std::vector<PhaseEvent> take_events();
  std::int64_t left_out() const { return left_out_; }
  const Totals& totals() const { return totals_; }
  std::int64_t now() const;

 private:
  struct Open {
    PhaseEvent event;
    std::int64_t within = 0;  // nanoseconds in phases within
  };

  Clock::time_point start_ = Clock::now();
  std::int64_t most_, kept_ = 0, left_out_ = 0;
  int task_ = -1;
  std::int64_t step_ = -1;
  std::vector<Open> open_;
  std::vector<PhaseEvent> events_;
  Totals totals_;
};

}  // namespace palimpsest
