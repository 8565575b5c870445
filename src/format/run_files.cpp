#include "run_files.h"

#include <algorithm>
#include <cstdio>
#include <system_error>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string numbered(std::int64_t number, int width = 4) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%0*lld", width, static_cast<long long>(number));
  return digits;
}

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
std::string step_prefix(std::int64_t task) { return "step-" + numbered(task) + "-"; }
std::string step_name(std::int64_t task, std::int64_t steps_done) {
  return step_prefix(task) + numbered(steps_done, 8) + ".h5";
}

std::vector<std::string> steps_of(const Manifest& manifest, std::int64_t task) {
  std::vector<std::string> names;
  for (const auto& [name, file] : manifest.files) {
    if (name.starts_with(step_prefix(task))) names.push_back(name);
  }
  return names;
}

void check_file_hash(const std::filesystem::path& path, const ManifestFile& expected) {
  const std::string found = sha256_of_file(path);
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

std::string found_instead_of_run(const std::filesystem::path& path) {
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

}  // namespace palimpsest
