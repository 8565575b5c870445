#include "palimpsest/comm/phase_log.h"

namespace palimpsest {

std::int64_t PhaseLog::now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
}

void PhaseLog::begin(std::string_view name) {
  Open& phase = open_.emplace_back();
  phase.event.name = name;
  phase.event.task = task_;
  phase.event.step = step_;
  phase.event.begin = now();
}

void PhaseLog::end() {
  if (open_.empty()) return;
  Open phase = std::move(open_.back());
  open_.pop_back();
  phase.event.duration = now() - phase.event.begin;
  if (!open_.empty()) open_.back().within += phase.event.duration;
  PhaseTotal& total = totals_[{phase.event.name, phase.event.is_collective}];
  ++total.times;
  total.own += phase.event.duration - phase.within;
  if (kept_ < most_) {
    ++kept_;
    events_.push_back(std::move(phase.event));
  } else {
    ++left_out_;
  }
}

void PhaseLog::mark_collective() {
  if (!open_.empty()) open_.back().event.is_collective = true;
}

void PhaseLog::at(int task, std::int64_t step) {
  task_ = task;
  step_ = step;
}

std::vector<PhaseEvent> PhaseLog::take_events() { return std::exchange(events_, {}); }

}  // namespace palimpsest
