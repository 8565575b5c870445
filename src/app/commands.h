#pragma once
// The verbs of palimpsest besides train. Each is collective, takes the arguments after the verb and
// throws UsageError or InputError; where it returns an int, that is the exit code, and rank 0
// prints. Its help is a text. X_completion() lists X's options, from which completion is made.
#include <span>
#include <string>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/run_config.h"

namespace palimpsest {

// Saved weights on a split of the data, and sweeps along the line of a merge. Throws as
// open_evaluation().
int eval(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);
std::string eval_help();
std::string eval_completion();

// A class for every sample of a pack, by saved weights.
int predict(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);
std::string predict_help();
std::string predict_completion();

// What a decoder writes after the prompts of a pack, by saved weights.
int generate(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);
std::string generate_help();
std::string generate_completion();

// Done, or failed where a finding is one.
int doctor(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);
std::string doctor_help();
std::string doctor_completion();

// What a run costs, without training. Where the machine file names no rates, all ranks measure
// theirs at the same time.
std::string plan(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);
std::string plan_help();
std::string plan_completion();

// Of palimpsest train --dry-run: the tasks, and the cost. Opens and refuses all that the run would,
// up to its first write.
std::string dry_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog);

}  // namespace palimpsest
