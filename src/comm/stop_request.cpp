#include "palimpsest/comm/stop_request.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

#include "heartbeat.h"
#include "palimpsest/core/process.h"

namespace palimpsest {
namespace {

constexpr unsigned kGraceSeconds = 1;

// A signal handler can reach nothing else.
volatile std::sig_atomic_t asked = 0;  // the signal, once it has come
volatile std::sig_atomic_t has_nothing_to_save = 0;
volatile std::sig_atomic_t accepts_stops = 0;  // set by StopRequest::accept_requests()
volatile std::sig_atomic_t is_done = 0;        // except for writing what came out
volatile std::sig_atomic_t prints = 1;         // one of the ranks does

[[noreturn]] void end_at_once(int signal) {
  mark_heartbeat("stopped");
  end_by_signal(signal,
                prints != 0 ? "palimpsest: stopped by a signal; nothing was written\n" : "");
}

void say_when_it_stops() {
  constexpr std::string_view kLine =
      "palimpsest: asked to stop: the run saves its next step (with a frozen backbone its next "
      "task) and stops\n";
  if (prints == 0 || accepts_stops != 0) return;
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, kLine.data(), kLine.size());
}

extern "C" void on_signal(int signal) {
  const bool is_second = asked != 0 && signal != SIGUSR1;
  if (is_second && has_nothing_to_save != 0) end_at_once(signal);
  if (is_second) {
    std::signal(signal, SIG_DFL);
    ::raise(signal);
    return;
  }
  if (asked != 0) return;
  asked = signal;
  if (is_done != 0) return;
  if (has_nothing_to_save != 0) {
    ::alarm(kGraceSeconds);
  } else {
    say_when_it_stops();
  }
}

extern "C" void end_after_grace(int) {
  if (has_nothing_to_save != 0) end_at_once(asked);
}

}  // namespace

void listen_for_stop_requests(OnStop meaning) {
  has_nothing_to_save = meaning == OnStop::kEnd ? 1 : 0;
  prints = is_first_rank() ? 1 : 0;
  handle_signal(SIGALRM, end_after_grace);
  if (asked != 0 && has_nothing_to_save != 0) ::alarm(kGraceSeconds);
  handle_signal(SIGUSR1, on_signal);
  if (is_launched()) return;
  for (const int signal : {SIGTERM, SIGINT}) handle_signal(signal, on_signal);
  // nohup lets it be ignored.
  if (handle_signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

void ignore_stop_requests() {
  is_done = 1;
  ::alarm(0);
}

void StopRequest::accept_requests() {
  accepts_ = true;
  accepts_stops = 1;
}

int StopRequest::local_signal() const {
  if (!accepts_) return 0;
  if (asked != 0) return asked;
  const bool late = after_seconds_ > 0 && group_.rank() == 0 && watch_.seconds() > after_seconds_;
  return late ? SIGUSR1 : 0;
}

void StopRequest::check() const {
  const std::int64_t signal = group_.max(local_signal(), "agreement on a stop");
  if (signal != 0) throw Stopped{static_cast<int>(signal)};
}

}  // namespace palimpsest
