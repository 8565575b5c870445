#include "palimpsest/core/adapted_layout.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

AdaptedLayout::AdaptedLayout(std::vector<AdaptedModule> modules) : modules_(std::move(modules)) {
  std::ranges::sort(modules_, {}, &AdaptedModule::name);
  for (std::size_t i = 0; i < modules_.size(); ++i) {
    AdaptedModule& module = modules_[i];
    if (module.out <= 0 || module.in <= 0) {
      throw Error(concat("adapted module '", module.name, "' has shape [", module.out, ", ",
                         module.in, "]; both sides must be positive"));
    }
    if (i > 0 && modules_[i - 1].name == module.name) {
      throw Error(concat("adapted module '", module.name, "' is twice in the layout"));
    }
    module.offset = size_;
    size_ += module.size();
  }
}

std::size_t AdaptedLayout::index_of(std::string_view name) const {
  const auto found = std::ranges::lower_bound(
      modules_, name, {}, [](const AdaptedModule& m) { return std::string_view(m.name); });
  if (found == modules_.end() || found->name != name) {
    throw Error(
        concat("no adapted module is called '", name, "' (there are ", modules_.size(), ")"));
  }
  return static_cast<std::size_t>(found - modules_.begin());
}

}  // namespace palimpsest
