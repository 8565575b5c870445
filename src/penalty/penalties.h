#pragma once
// What the files of the penalties share.
#include "palimpsest/penalty/penalty.h"

namespace palimpsest {

using PenaltyKind = PartKind<Penalty>;

}  // namespace palimpsest
