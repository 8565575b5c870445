#include "manifest.h"

#include <algorithm>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "versions.h"

namespace palimpsest {
namespace {

bool stays_inside(const std::filesystem::path& path) {
  return !path.empty() && path.is_relative() &&
         std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
}

void require_inside(const std::filesystem::path& manifest, const std::string& name) {
  if (stays_inside(name)) return;
  throw InputError(
      concat(manifest.string(), ": expected paths inside the run folder, found \"", name, "\"."));
}

std::string sha256_field(const JsonObject& object, const char* field) {
  const std::string hash = object.text(field);
  if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
    object.refuse(field, "64 hexadecimal digits");
  }
  return hash;
}

// What a commit always writes: a record of every task done, and for each state and step how much of
// the log belongs to it.
void check_complete(const std::filesystem::path& path, const Manifest& manifest) {
  std::int64_t tasks = 0;
  for (const auto& [name, file] : manifest.files) {
    if (name.starts_with("tasks/")) ++tasks;
    if ((name.starts_with("state-") || name.starts_with("step-")) &&
        !manifest.log_offsets.contains(name))
      throw InputError(concat(path.string(), ": expected log_offsets for ", name, ", found none."));
  }
  if (tasks != manifest.tasks_done)
    throw InputError(concat(path.string(), ": expected records of ", manifest.tasks_done,
                            " tasks (tasks_done), found those of ", tasks, "."));
  for (std::int64_t task = 0; task < tasks; ++task) {
    const std::string name = RunFolder("").task_file(task).generic_string();
    if (!manifest.files.contains(name))
      throw InputError(concat(path.string(), ": expected an entry for ", name, ", found none."));
  }
}

}  // namespace

std::string manifest_text(const Manifest& manifest) {
  nlohmann::json files = nlohmann::json::object();
  for (const auto& [name, file] : manifest.files) {
    files[name] = {{"sha256", file.sha256}, {"content_sha256", file.content_sha256}};
  }
  nlohmann::json json = {{"palimpsest_type", "manifest"},
                         {"palimpsest_version", kFormatVersion},
                         {"tasks_done", manifest.tasks_done},
                         {"files", files},
                         {"log_offsets", manifest.log_offsets}};
  if (manifest.tasks_before > 0) json["tasks_before"] = manifest.tasks_before;
  return json.dump(1) + "\n";
}

Manifest read_manifest(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  check_json_identity(top, "manifest");
  Manifest manifest;
  manifest.tasks_done = top.integer("tasks_done", 0);
  if (top.has("tasks_before")) manifest.tasks_before = top.integer("tasks_before", 0);
  if (manifest.tasks_before > manifest.tasks_done)
    top.refuse("tasks_before", concat("at most tasks_done, ", manifest.tasks_done));
  for (const auto& [name, value] : top.object("files").items()) {
    require_inside(path, name);
    if (!value.is_object()) top.refuse("files", "objects");
    const JsonObject entry{value, path, "files." + name};
    manifest.files[name] = {.sha256 = sha256_field(entry, "sha256"),
                            .content_sha256 = sha256_field(entry, "content_sha256")};
  }
  for (const auto& [state, logs] : top.object("log_offsets").items()) {
    if (!logs.is_object()) top.refuse("log_offsets", "objects");
    const JsonObject entry{logs, path, "log_offsets." + state};
    for (const auto& [log, bytes] : logs.items()) {
      require_inside(path, log);
      manifest.log_offsets[state][log] = entry.integer(log.c_str(), 0);
    }
  }
  check_complete(path, manifest);
  return manifest;
}

}  // namespace palimpsest
