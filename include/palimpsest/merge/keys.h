#pragma once
// The settings of the merge.
#include <vector>

#include "palimpsest/config/key_table.h"

namespace palimpsest {

std::vector<Key> keys_of_merge();

}  // namespace palimpsest
