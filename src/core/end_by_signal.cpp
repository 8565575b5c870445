#include "palimpsest/core/end_by_signal.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::array<char, 160> line_of_program{};  // a signal handler can format nothing

extern "C" void end_program(int signal) { end_by_signal(signal, line_of_program.data()); }

}  // namespace

int exit_code_of_signal(int signal) { return 128 + (signal == SIGUSR1 ? SIGTERM : signal); }

std::string signal_name(int signal) {
  if (signal == SIGINT) return "SIGINT";
  if (signal == SIGTERM) return "SIGTERM";
  if (signal == SIGHUP) return "SIGHUP";
  if (signal == SIGUSR1) return "SIGUSR1";
  return concat("signal ", signal);
}

void end_by_signal(int signal, const char* line) {
  remove_temporary_files();
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, line, std::strlen(line));
  ::_exit(exit_code_of_signal(signal));
}

void end_on_signals(const char* program) {
  const std::string line =
      concat(program, ": stopped by a signal before it was done; no half-written file is left\n");
  line.copy(line_of_program.data(), line_of_program.size() - 1);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, end_program);
  if (std::signal(SIGHUP, end_program) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

}  // namespace palimpsest
