#pragma once
// What the files of the heads share.
#include "palimpsest/head/head.h"

namespace palimpsest {

using HeadRow = PartKind<HeadKind>;

}  // namespace palimpsest
