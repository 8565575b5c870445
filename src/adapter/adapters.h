#pragma once
// What the files of the adapters share.
#include "palimpsest/adapter/adapter.h"

namespace palimpsest {

using AdapterKind = PartKind<Adapter>;

}  // namespace palimpsest
