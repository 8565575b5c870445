#pragma once
// --continue: the tasks that another run has learned come before those of the protocol, without
// their data.
#include "palimpsest/continual/open_run.h"

namespace palimpsest {

// On rank 0: how many of the tasks done come before the protocol's, as the run's folder has it.
// Throws UsageError where --continue is asked of a run that was begun without it.
std::int64_t tasks_before(const OpenRun& run);

// On rank 0: puts the first `count` tasks of a state before those of the protocol. Returns in words
// which of them can't be tested any more; "" when all can. Throws InputError when the protocol
// repeats their classes, or, in domain-incremental, has others.
std::string recall(OpenRun& run, const StateRecord& state, std::int64_t count);

// Collective: the tasks that rank 0 has recalled, to all.
void broadcast_recalled(OpenRun& run);

}  // namespace palimpsest
