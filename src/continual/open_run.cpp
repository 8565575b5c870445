#include "palimpsest/continual/open_run.h"

#include <unistd.h>

#include <array>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

RunIdentity identity_of(const RunConfig& config, const Inputs& inputs, const Placement& placement,
                        int world_size) {
  return {.backbone_name = inputs.backbone_name,
          .backbone_sha256 = inputs.backbone_sha256,
          .pack_content_sha256 = inputs.pack.content_sha256(),
          .config = config_json(config, false),
          .numerics =
              numerics_fingerprint(placement, config.threads, lanes_of(config, world_size).count),
          .seed = config.seed};
}

std::string run_json(const RunConfig& config, const RunIdentity& identity, int world_size) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return nlohmann::ordered_json{
      {"palimpsest_type", "run"},
      {"palimpsest_version", "1.0.0"},
      {"writer", "palimpsest " PALIMPSEST_VERSION},
      {"source_revision", PALIMPSEST_SOURCE_REVISION},
      {"started", std::time(nullptr)},
      {"host", host.data()},
      {"world_size", world_size},
      {"numerics", nlohmann::json::parse(identity.numerics)},
      {"backbone_sha256", identity.backbone_sha256},
      {"pack_content_sha256", identity.pack_content_sha256},
      {"config", nlohmann::ordered_json::parse(config_json(config, true))}}
      .dump(2);
}

// On rank 0: makes the folder and leaves the state fresh, or takes the state that the folder has
// and cuts its logs.
void open_folder(OpenRun& run) {
  run.lock = run.folder.lock();
  const std::string description = run_json(run.config, run.identity, run.group.size());
  if (run.config.resume == "never") {
    run.folder.create(description);
    return;
  }
  const std::optional<NewestState> newest = run.folder.newest_state();
  if (!newest) {
    run.folder.restart(description);
    return;
  }
  if (!newest->remark.empty()) std::cerr << "palimpsest: " << newest->remark << std::endl;
  check_resumable(newest->record, run.identity, run.config, run.tasks());
  run.state = state_of(newest->record);
  for (const Task& task : run.tasks().first(static_cast<std::size_t>(run.state.tasks_done))) {
    const TaskRecord record = run.folder.task(task.index);
    if (record.train_samples != task.train.size()) {
      throw InputError(concat("cannot resume ", run.config.out, ": task ", task.index + 1,
                              " was trained on ", record.train_samples,
                              " samples, the protocol has ", task.train.size(),
                              ": resume with the protocol that the run began with"));
    }
    run.alphas.push_back(record.merge.coefficients.front());
  }
  run.folder.cut_logs(run.state.tasks_done - 1);
}

// Trained for one task: adapter and head.
std::int64_t trained_parameters(const OpenRun& run) {
  std::int64_t count =
      std::ssize(run.inputs.tasks.front().classes) * (run.model->feature_size() + 1);
  if (run.config.adapter == "none") return count;
  for (const AdaptedModule& module : run.model->layout().modules()) {
    count += run.config.lora_rank * (module.out + module.in);
  }
  return count;
}

}  // namespace

OpenRun open_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                 const RunEvents& events, const FolderReady& folder_ready) {
  configure_processor(static_cast<int>(config.threads));
  lanes_of(config, group.size());  // refused before anything is opened
  Inputs inputs = open_inputs(config);
  Placement placement = make_placement(config.device, group, watchdog);
  std::unique_ptr<Backbone> model =
      make_backbone(inputs.weights, inputs.backbone, inputs.choice, placement.device);
  std::unique_ptr<MergeRule> rule = make_merge_rule(config.merge);
  RunConfig resolved = config;
  resolved.device = placement.device.is_cuda() ? "cuda" : "cpu";
  RunIdentity identity = identity_of(resolved, inputs, placement, group.size());
  StreamState fresh = initial_state(model->layout(), group.rank() == 0 && rule->needs_fisher());
  OpenRun run{.config = std::move(resolved),
              .group = group,
              .watchdog = watchdog,
              .events = events,
              .inputs = std::move(inputs),
              .placement = std::move(placement),
              .model = std::move(model),
              .rule = std::move(rule),
              .fisher_scale = parse_fisher_scale(config.fisher_scale),
              .identity = std::move(identity),
              .folder = RunFolder(config.out),
              .lock = {},
              .state = std::move(fresh),
              .alphas = {}};

  constexpr std::string_view kPhase = "agreement at the start";
  group.agree(run.identity.config, "settings", kPhase);
  group.agree(run.identity.backbone_sha256, "backbone's weights (SHA-256)", kPhase);
  group.agree(run.inputs.shape_sha256, "backbone's shape, by its config.json (hash)", kPhase);
  group.agree(run.identity.pack_content_sha256, "pack (content hash)", kPhase);
  group.agree(run.inputs.tasks_sha256, "tasks, by protocol and --tasks (hash)", kPhase);
  group.agree(run.identity.numerics, "library versions, instruction set and threads", kPhase);
  if (run.is_root()) {
    run.inputs.pack.verify();
    open_folder(run);
    folder_ready(run.folder.log_file());
  }
  broadcast_state(group, run.state);
  events.tell(RunStarted{.folder = config.out,
                         .tasks = static_cast<int>(run.inputs.tasks.size()),
                         .world_size = group.size(),
                         .lanes = static_cast<int>(lanes_of(config, group.size()).count),
                         .device = run.placement.description,
                         .pack_content_sha256 = run.identity.pack_content_sha256,
                         .backbone_sha256 = run.identity.backbone_sha256,
                         .adapted_weights = run.model->layout().size(),
                         .trained_parameters = trained_parameters(run),
                         .resumed_after_task = static_cast<int>(run.state.tasks_done) - 1});
  return run;
}

}  // namespace palimpsest
