#include "palimpsest/continual/saved_weights.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/input_paths.h"
#include "palimpsest/format/records.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/kinds/kind_settings.h"
#include "palimpsest/method/method.h"
#include "palimpsest/method/settings.h"

namespace palimpsest {
namespace {

std::string after_tasks(std::size_t tasks) {
  return concat("after ", tasks, tasks == 1 ? " task" : " tasks");
}

std::int64_t tasks_before(const std::filesystem::path& run_folder) {
  const std::optional<Manifest> manifest = RunFolder(run_folder).manifest();
  return manifest ? manifest->tasks_before : 0;
}

// The tasks' names, which a state doesn't have; of one whose run folder doesn't have its tasks,
// none. Names are read where tasks have the same labels alone.
std::vector<std::string> domain_names(const std::filesystem::path& run_folder, std::size_t tasks,
                                      Scenario scenario) {
  std::vector<std::string> names;
  const RunFolder folder(run_folder);
  if (!shares_head(scenario)) return names;
  const std::optional<Manifest> manifest = folder.manifest();
  if (!manifest || std::cmp_less(manifest->tasks_done, tasks)) return names;
  for (std::size_t task = 0; task < tasks; ++task)
    names.push_back(folder.task_summary(*manifest, static_cast<std::int64_t>(task)).record.name);
  return names;
}

// Of its run.json, and over them those of the record, which may be empty.
RunConfig recorded_config(const std::filesystem::path& run_folder, std::string_view record_json) {
  RunConfig config;
  const std::filesystem::path description = run_folder / "run.json";
  if (!run_folder.empty() && std::filesystem::exists(description)) {
    const auto json = nlohmann::json::parse(read_file(description), nullptr, false);
    if (!json.is_object()) {
      throw InputError(concat(
          description.string(), ": expected a JSON object that says how the run began, found ",
          std::filesystem::is_empty(description) ? "an empty file" : "something else",
          ": the file is damaged. Without it (moved away) name the data by "
          "--pack, --protocol and --backbone"));
    }
    if (json.contains("config")) take_recorded(all_settings(), json["config"].dump(), config);
    for (const auto& [setting, path] : find_inputs(run_folder))
      set_value(config, *find_key(all_settings(), setting), path);
  }
  if (!record_json.empty()) take_recorded(all_settings(), record_json, config);
  return config;
}

SavedWeights of_state(const std::filesystem::path& path, const std::filesystem::path& folder,
                      StateRecord state) {
  RunConfig config = recorded_config(folder, state.config);
  std::vector<std::string> names = domain_names(folder, state.classes.size(), config.scenario);
  return {.source = concat(path.string(), ", ", after_tasks(state.classes.size())),
          .run = folder,
          .layout = state.layout,
          .weights = std::move(state.merged),
          .classes = std::move(state.classes),
          .task_names = std::move(names),
          .memory = std::move(state.memory),
          .backbone_sha256 = state.backbone_sha256,
          .backbone_shape_sha256 = state.backbone_shape_sha256,
          .pack_content_sha256 = state.pack_content_sha256,
          .tasks_before = tasks_before(folder),
          .config = std::move(config)};
}

SavedWeights of_merged(const std::filesystem::path& path) {
  MergedRecord merged = read_merged_record(path);
  RunConfig config = recorded_config({}, merged.config);
  NamedTensors memory;
  put_heads(memory, std::move(merged.heads));
  const bool has_heads = !memory.names("head").empty();
  // Adapters without heads don't say what they predict.
  if (!has_heads && merged.config.empty()) set_to_predict_tokens(config);
  const std::string own = kinds_in(config.classifier).front();
  if (has_heads) config.classifier = RunConfig().classifier;  // by the heads, which the file has
  if (own != config.classifier) {
    merged.post_hoc += concat(merged.post_hoc.empty() ? "" : "; ", "by the heads in the file; the ",
                              "run itself answers by ", own);
  }
  return {.source = concat(path.string(), ", merged ", after_tasks(merged.classes.size())),
          .layout = merged.layout,
          .weights = std::move(merged.weights),
          .classes = std::move(merged.classes),
          .task_names = std::move(merged.task_names),
          .memory = std::move(memory),
          .backbone_sha256 = merged.backbone_sha256,
          .backbone_shape_sha256 = merged.backbone_shape_sha256,
          .pack_content_sha256 = merged.pack_content_sha256,
          .is_of_adapters = merged.config.empty(),
          .config = std::move(config),
          .post_hoc = merged.post_hoc};
}

}  // namespace

std::vector<std::string> known_classes(const SavedWeights& saved) {
  const bool shared = shares_head(saved.config.scenario) && !saved.classes.empty();
  std::vector<std::string> names;
  for (std::size_t t = shared ? saved.classes.size() - 1 : 0; t < saved.classes.size(); ++t)
    names.insert(names.end(), saved.classes[t].begin(), saved.classes[t].end());
  return names;
}

SavedWeights read_saved_weights(const std::filesystem::path& path, bool is_hashed) {
  if (std::filesystem::is_directory(path)) {
    std::optional<StateRecord> newest = RunFolder(path).newest_weights(is_hashed);
    if (newest) return of_state(path, path, *std::move(newest));
    throw InputError(concat(path.string(), ": expected a run folder with a finished task, found ",
                            describe_missing_run(path)));
  }
  const std::string type = read_identity(path).type;
  if (type == "state") {
    if (is_hashed) check_named_file(path);
    const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
    return of_state(path, folder, read_state_weights(path));
  }
  if (type == "merged") return of_merged(path);
  throw InputError(concat(path.string(),
                          ": expected a run folder, a state (state-0000.h5) or merged weights "
                          "(palimpsest merge --out), found a record of type '",
                          type, "'"));
}

}  // namespace palimpsest
