#include "palimpsest/core/process.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::array<char, 160> program_prefix{};  // a signal handler can format nothing

extern "C" void end_program(int signal) { end_by_signal(signal, program_prefix.data()); }

std::string own_folder() {
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return home;
  const passwd* const entry = ::getpwuid(::getuid());
  return entry == nullptr ? "" : entry->pw_dir;
}

std::string user_home(const std::string& user) {
  const passwd* const entry = ::getpwnam(user.c_str());
  return entry == nullptr ? "" : entry->pw_dir;
}

}  // namespace

SignalHandler handle_signal(int signal, SignalHandler handler, int flags) {
  alignas(16) static std::array<char, 1 << 16> memory;  // a frame with AVX-512 registers has 4 KB
  static const bool has_stack = [] {
    const stack_t stack{.ss_sp = memory.data(), .ss_flags = 0, .ss_size = memory.size()};
    return ::sigaltstack(&stack, nullptr) == 0;
  }();
  struct sigaction action {
  }, before{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | (has_stack ? SA_ONSTACK : 0) | flags;
  return ::sigaction(signal, &action, &before) == 0 ? before.sa_handler : SIG_ERR;
}

int signal_exit_code(int signal) { return 128 + (signal == SIGUSR1 ? SIGTERM : signal); }

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
  ::_exit(signal_exit_code(signal));
}

void end_on_signals(const char* program) {
  const std::string line =
      concat(program, ": stopped by a signal before it was done; no half-written file is left\n");
  line.copy(program_prefix.data(), program_prefix.size() - 1);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) handle_signal(signal, end_program);
  if (handle_signal(SIGHUP, end_program) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
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

std::string with_home_folder(std::string_view path) {
  if (!path.starts_with('~')) return std::string(path);
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string user(path.substr(1, end - 1));
  const std::string folder = user.empty() ? own_folder() : user_home(user);
  if (!folder.empty()) return folder + std::string(path.substr(end));
  throw UsageError(concat("'", path, "': ~", user,
                          " is no user with a home folder on this machine; a name ",
                          "that begins with ~ is written ./~"));
}

std::vector<std::string> with_home_folders(std::vector<std::string> arguments) {
  for (std::string& word : arguments) {
    const std::size_t value = word.starts_with("--") ? word.find("=~") : std::string::npos;
    if (value != std::string::npos && value == word.find('=')) {
      word = word.substr(0, value + 1) + with_home_folder(word.substr(value + 1));
    } else {
      word = with_home_folder(word);
    }
  }
  return arguments;
}

}  // namespace palimpsest
