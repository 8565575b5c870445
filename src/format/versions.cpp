#include "versions.h"

#include "palimpsest/core/text.h"
#include "palimpsest/core/version.h"

namespace palimpsest {

std::string readable_versions() {
  return concat("version 1.x.y or 2.x.y, which ", writer(),
                " reads; a newer one needs a program as new as the one that wrote the file");
}

}  // namespace palimpsest
