#pragma once
// The process: its host, its launcher, its user's folder and how a signal ends it.
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

// As a shell has it, 128 + the signal's number: 129 for SIGHUP, 130 for SIGINT, 143 for SIGTERM.
// SIGUSR1 counts as SIGTERM, since launch/mpirun.sh sends it for one.
int signal_exit_code(int signal);

// "SIGTERM", or "signal 42".
std::string signal_name(int signal);

using SignalHandler = void (*)(int);

// As std::signal, with a separate stack for handlers. Only the thread of the first call has it: in
// others a handler runs on the thread's stack. oneDNN's products point the stack pointer at heap
// memory, and what lies below that would be written over. flags: of sigaction, besides.
SignalHandler handle_signal(int signal, SignalHandler handler, int flags = 0);

// May be called by a signal handler. Removes the temporary files of every AtomicFile, writes `line`
// ("": nothing) to the standard error and ends the process with the signal's exit code.
[[noreturn]] void end_by_signal(int signal, const char* line);

// For a program that saves nothing to resume from: from now on SIGINT, SIGTERM, SIGHUP
// (unless it is ignored, as nohup has it) and SIGUSR1 end it so. `program`: its name; it outlives
// the program's work.
void end_on_signals(const char* program);

// Of this machine, as the system has it.
std::string host_name();

// Whether mpirun or srun started this process.
bool is_launched();

// Whether this is rank 0, or the only process.
bool is_first_rank();

// The folder "~" of a path, where no shell has put it in: behind "=", in quotes, in a file.
// "~" and "~/x": the user's own; "~name/x": that user's; any other text as it is. A folder whose
// name begins with "~" is written "./~x". Throws UsageError for a user that isn't known.
std::string with_home_folder(std::string_view path);

// The same of every word of a command line, and of what is behind "=" in "--name=~/x".
std::vector<std::string> with_home_folders(std::vector<std::string> arguments);

}  // namespace palimpsest
