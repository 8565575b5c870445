#pragma once
// What the files of the objectives share.
#include "palimpsest/objective/objective.h"

namespace palimpsest {

using ObjectiveKind = PartKind<Objective>;

}  // namespace palimpsest
