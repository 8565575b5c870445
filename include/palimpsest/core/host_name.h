#pragma once
#include <string>

namespace palimpsest {

// Of this machine, as the system has it.
std::string host_name();

}  // namespace palimpsest
