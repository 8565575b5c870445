#include "saved_settings.h"

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/input_paths.h"
#include "palimpsest/method/settings.h"

namespace palimpsest {

RunConfig evaluation_settings(const SavedWeights& saved, std::span<const std::string> arguments,
                              std::string_view verb, std::initializer_list<const char*> needed) {
  RunConfig recorded = saved.config;
  // Of the run's first start, which a later one may have gone beyond; the weights know their tasks.
  if (!recorded.joint) recorded.tasks = 0;
  RunConfig config = parse_settings(all_settings(), arguments, recorded, verb);
  std::string missing;
  for (const char* const name : needed) {
    const Key& key = *find_key(all_settings(), name);
    const std::string path = value_text(config, key);
    if (path.empty()) missing += concat(" --", name);
    std::error_code error;
    const bool is_lost = !std::filesystem::exists(path, error) && !error;
    if (is_lost && !path.empty() && path == value_text(recorded, key))
      throw InputError(concat(saved.source, ": ", missing_input(name, path)));
  }
  if (!missing.empty()) {
    throw UsageError(concat(saved.source, " doesn't say where to find its data: give", missing));
  }
  return config;
}

}  // namespace palimpsest
