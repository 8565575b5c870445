#pragma once
// Where a run begins: at a checkpoint in its own folder, at a state of another run, or at no state.
// What is found first only reads; --dry-run stops there.
#include <optional>

#include "palimpsest/continual/open_run.h"

namespace palimpsest {

// --fork, --continue: a run folder, or a state in one.
struct OriginRun {
  RunFolder folder;
  StateRecord state;
  std::int64_t tasks_before = 0;  // of these, not in the protocol
};

struct Beginning {
  bool resumes = false;                  // at a checkpoint in its own folder
  std::optional<OriginRun> origin = {};  // else, where there is one
};

// On rank 0: gives `run` the state and the step that it begins at. Writes nothing. Throws what a
// run must be refused for: a folder with another run, an origin that doesn't fit.
Beginning find_beginning(OpenRun& run);

// On rank 0: makes the folder, or cuts it to where the run resumes.
void write_beginning(OpenRun& run, const Beginning& beginning);

}  // namespace palimpsest
