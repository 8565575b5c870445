#include "palimpsest/core/process.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

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

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

bool is_launched() {
  for (const char* launched : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (std::getenv(launched) != nullptr) return true;
  }
  return false;
}

bool is_first_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (const char* const rank = std::getenv(name)) return std::strcmp(rank, "0") == 0;
  }
  return true;
}

}  // namespace palimpsest
