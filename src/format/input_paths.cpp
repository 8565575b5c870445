#include "palimpsest/format/input_paths.h"

#include <nlohmann/json.hpp>

#include "json_fields.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string text_in(const nlohmann::json& json, const char* object, const std::string& name) {
  const auto texts = json.find(object);
  if (texts == json.end() || !texts->is_object()) return "";
  const auto text = texts->find(name);
  return text != texts->end() && text->is_string() ? text->get<std::string>() : "";
}

}  // namespace

InputPaths relative_to_run(const fs::path& run_folder, const InputPaths& absolute) {
  InputPaths relative;
  for (const auto& [setting, path] : absolute) {
    const fs::path from_run = fs::path(path).lexically_normal().lexically_relative(
        fs::absolute(run_folder).lexically_normal());
    if (!path.empty() && !from_run.empty()) relative[setting] = from_run.generic_string();
  }
  return relative;
}

InputPaths find_inputs(const fs::path& run_folder) {
  const fs::path description = run_folder / "run.json";
  if (!is_there(description)) return {};
  const nlohmann::json json = read_json_object(description);
  InputPaths found;
  for (const char* const setting : {"pack", "protocol", "backbone", "general"}) {
    const std::string recorded = text_in(json, "config", setting);
    const std::string relative = text_in(json, "relative_paths", setting);
    const fs::path beside = (run_folder / relative).lexically_normal();
    const bool has_moved = !relative.empty() && !is_there(recorded) && is_there(beside);
    if (!recorded.empty()) found[setting] = has_moved ? beside.string() : recorded;
  }
  return found;
}

std::string missing_input(std::string_view setting, std::string_view recorded) {
  return concat("expected the run's ", setting, " at ", recorded,
                ", as its run.json says, or at the same place from the run folder, found nothing "
                "there. Give its new place with --",
                setting);
}

}  // namespace palimpsest
