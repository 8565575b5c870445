#include "palimpsest/core/name_list.h"

#include <algorithm>

#include "palimpsest/core/text.h"

namespace palimpsest {

std::string name_list(std::span<const std::string> names, std::size_t most) {
  std::string list;
  for (const std::string& name : names.first(std::min(names.size(), most)))
    list += concat(list.empty() ? "" : ", ", name);
  return names.size() > most ? concat(list, " and ", names.size() - most, " more") : list;
}

}  // namespace palimpsest
