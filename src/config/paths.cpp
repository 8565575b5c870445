// Settings that are paths: where a relative one starts, and the same from any folder.
#include <algorithm>
#include <filesystem>

#include "given.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) || error;
}

// Without "..", unless a link before it leads elsewhere.
std::string shortened(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  std::error_code error;
  const bool is_same = fs::weakly_canonical(path, error) == fs::weakly_canonical(normal, error);
  return (is_same || error ? normal : path).string();
}

// Files of earlier versions have paths that start at the working folder.
void check_start(const Given& given, const std::string& written) {
  if (is_there(given.value) || !is_there(written)) return;
  const fs::path folder = fs::absolute(given.file).lexically_normal().parent_path();
  throw UsageError(
      concat(given.source, ": ", given.name, " = ", written, ": expected ", given.value,
             ", found nothing there. A path in a configuration starts at the folder of its file. ",
             written, " is in the working folder: write ", given.name, " = ",
             fs::absolute(written).lexically_normal().lexically_relative(folder).generic_string()));
}

}  // namespace

bool is_path(const Key& key) { return key.type == Type::kText; }

void start_paths_at_files(const KeyTable& table, std::vector<Given>& settings,
                          std::span<const Given> flags, std::string_view verb) {
  for (auto given = settings.begin(); given != settings.end(); ++given) {
    const Key* const key = find_key(table, given->name);
    if (key == nullptr || !is_path(*key) || given->value.empty()) continue;
    const std::string written = given->value;
    given->value = shortened(fs::path(given->file).parent_path() / written);
    const bool counts = std::find_if(std::next(given), settings.end(), [&](const Given& later) {
                          return later.name == given->name;
                        }) == settings.end();
    const bool is_checked = given->name != "stage" && is_taken_by(*key, verb);
    if (counts && is_checked && std::ranges::find(flags, given->name, &Given::name) == flags.end())
      check_start(*given, written);
  }
}

RunConfig with_absolute_paths(const KeyTable& table, RunConfig config) {
  for (const Key& key : table.keys) {
    if (!is_path(key)) continue;
    const std::string path = value_text(config, key);
    if (!path.empty()) key.field.set(config, shortened(fs::absolute(path)));
  }
  return config;
}

}  // namespace palimpsest
