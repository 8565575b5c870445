#pragma once
// The program's table of settings: those of config, and those of every part of the method.
#include "palimpsest/config/key_table.h"

namespace palimpsest {

const KeyTable& all_settings();

}  // namespace palimpsest
