#include "saved_settings.h"

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

RunConfig settings_of(const SavedWeights& saved, std::span<const std::string> arguments,
                      std::initializer_list<const char*> needed) {
  RunConfig recorded = saved.config;
  recorded.stop_after = 0;  // was about the run
  RunConfig config = parse_settings(arguments, recorded);
  std::string missing;
  for (const Key& key : key_table()) {
    for (const char* const name : needed) {
      if (key.name == name && value_text(config, key).empty()) missing += concat(" --", name);
    }
  }
  if (!missing.empty()) {
    throw UsageError(concat(saved.source, " doesn't say where to find its data: give", missing));
  }
  return config;
}

}  // namespace palimpsest
