#include "palimpsest/core/version.h"

namespace palimpsest {

std::string_view version() { return PALIMPSEST_VERSION; }
std::string_view source_revision() { return PALIMPSEST_SOURCE_REVISION; }
std::string writer() { return "palimpsest " PALIMPSEST_VERSION; }

}  // namespace palimpsest
