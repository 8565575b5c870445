#include "tensor_names.h"

#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

void refuse_missing_tensor(const std::filesystem::path& path, std::string_view name,
                           std::span<const std::string> known) {
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string nearest = nearest_name(name, names);
  throw InputError(concat(path.string(), ": expected a tensor ", name, ", found none; ",
                          nearest.empty()
                              ? concat("none of its ", known.size(), " tensors has a name like it.")
                              : concat("the nearest name is \"", nearest, "\".")));
}

}  // namespace palimpsest
