#include "run_files.h"

#include <algorithm>
#include <cstdio>
#include <system_error>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/names.h"
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
    if ((name.starts_with("state-") || name.starts_with("step-")) && file.logs.empty())
      throw InputError(concat(path.string(), ": expected log_offsets for ", name, ", found none."));
  }
  if (tasks != manifest.tasks_done)
    throw InputError(concat(path.string(), ": expected records of ", manifest.tasks_done,
                            " tasks (tasks_done), found those of ", tasks, "."));
  for (std::int64_t task = 0; task < tasks; ++task) {
    const std::string name = task_name(task);
    if (!manifest.files.contains(name))
      throw InputError(concat(path.string(), ": expected an entry for ", name, ", found none."));
  }
}

std::string numbered(std::int64_t number, int width = 4) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%0*lld", width, static_cast<long long>(number));
  return digits;
}

std::string step_prefix(std::int64_t task) { return "step-" + numbered(task) + "-"; }

bool is_run(const std::filesystem::path& folder) {
  return std::filesystem::exists(manifest_path(folder)) ||
         std::filesystem::exists(folder / "run.json");
}

}  // namespace

std::filesystem::path manifest_path(const std::filesystem::path& folder) {
  return folder / "manifest.json";
}

std::string task_name(std::int64_t task) { return "tasks/task-" + numbered(task) + ".h5"; }
std::string state_name(std::int64_t task) { return "state-" + numbered(task) + ".h5"; }
std::string step_name(std::int64_t task, std::int64_t steps_done) {
  return step_prefix(task) + numbered(steps_done, 8) + ".h5";
}

std::vector<std::string> step_files(const Manifest& manifest, std::int64_t task) {
  std::vector<std::string> names;
  for (const auto& [name, file] : manifest.files) {
    if (name.starts_with(step_prefix(task))) names.push_back(name);
  }
  return names;
}

void check_file_hash(const std::filesystem::path& path, const ManifestFile& expected) {
  const std::string found = sha256_file(path);
  if (found != expected.sha256) {
    throw InputError(concat(path.string(), ": expected SHA-256 ", expected.sha256,
                            " (manifest.json), found ", found,
                            ". The file is damaged or was replaced."));
  }
}

void check_named_file(const std::filesystem::path& file) {
  const std::filesystem::path path = std::filesystem::absolute(file).lexically_normal();
  std::filesystem::path folder = path.parent_path();
  if (folder.filename() == "tasks") folder = folder.parent_path();
  const std::optional<Manifest> manifest = RunFolder(folder).manifest();
  if (!manifest) return;
  const auto entry = manifest->files.find(path.lexically_relative(folder).generic_string());
  if (entry != manifest->files.end()) check_file_hash(file, entry->second);
}

std::string describe_missing_run(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return "nothing there";
  if (!std::filesystem::is_directory(path, ignored)) return "a file";
  if (std::filesystem::exists(manifest_path(path))) return "one that has finished no task";
  if (is_run(path)) return "a run.json without a manifest.json: it has saved nothing, or lost that";
  const std::filesystem::path parent =
      (std::filesystem::absolute(path).lexically_normal() / "").parent_path().parent_path();
  if (is_run(parent)) return concat("a part of the run folder ", parent.string(), ": give that");
  std::vector<std::string> runs;
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
    if (entry.is_directory(ignored) && is_run(entry.path())) runs.push_back(entry.path().string());
  }
  if (runs.empty()) return "no manifest.json there";
  const bool is_one = runs.size() == 1;
  std::ranges::sort(runs);
  return concat("a folder of ", runs.size(), is_one ? " run: give " : " runs: give one of ",
                name_list(runs, 4));
}

std::string manifest_text(const Manifest& manifest) {
  nlohmann::json files = nlohmann::json::object(), log_offsets = files;
  for (const auto& [name, file] : manifest.files) {
    files[name] = {{"sha256", file.sha256}, {"content_sha256", file.content_sha256}};
    if (!file.logs.empty()) log_offsets[name] = file.logs;
  }
  nlohmann::json json = {{"palimpsest_type", "manifest"},
                         {"palimpsest_version", kFormatVersion},
                         {"tasks_done", manifest.tasks_done},
                         {"files", files},
                         {"log_offsets", log_offsets}};
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
                            .content_sha256 = sha256_field(entry, "content_sha256"),
                            .logs = {}};
  }
  for (const auto& [state, logs] : top.object("log_offsets").items()) {
    if (!logs.is_object()) top.refuse("log_offsets", "objects");
    const auto file = manifest.files.find(state);
    const JsonObject entry{logs, path, "log_offsets." + state};
    for (const auto& [log, bytes] : logs.items()) {
      require_inside(path, log);
      const std::int64_t offset = entry.integer(log.c_str(), 0);
      if (file != manifest.files.end()) file->second.logs[log] = offset;
    }
  }
  check_complete(path, manifest);
  return manifest;
}

}  // namespace palimpsest
