#include "palimpsest/continual/open_run.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "continued_run.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/past_tasks.h"
#include "staging.h"

namespace palimpsest {
namespace {

RunIdentity identity_of(const RunConfig& config, const Inputs& inputs, const Placement& placement,
                        int world_size) {
  return {.backbone_name = inputs.backbone_name,
          .backbone_sha256 = inputs.backbone_sha256,
          .backbone_shape_sha256 = inputs.shape_sha256,
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

void warn(const std::string& remark) {
  if (!remark.empty()) std::cerr << "palimpsest: " << remark << std::endl;
}

// On rank 0: the alphas of the tasks that a state of `folder` has learned, which must be those of
// the protocol, sample for sample as far as the records tell.
std::vector<double> read_tasks_done(const OpenRun& run, const RunFolder& folder,
                                    std::int64_t tasks_done) {
  std::vector<double> alphas;
  for (const Task& task : run.tasks().first(static_cast<std::size_t>(tasks_done))) {
    const TaskRecord record = folder.task(task.index);
    if (!is_past(task) && record.train_samples != task.train.size()) {
      throw InputError(concat("cannot go on from ", folder.path().string(), ": task ",
                              task.index + 1, " was trained on ", record.train_samples,
                              " samples, ", run.config.protocol, " has ", task.train.size(),
                              ": go on with the protocol and the --validation that the run began ",
                              "with"));
    }
    alphas.push_back(record.merge.alpha().value_or(1));
  }
  return alphas;
}

// On rank 0: takes the newest checkpoint that the folder has, and cuts its logs there. False when
// there is none.
bool resume(OpenRun& run) {
  const std::optional<NewestState> state = run.folder.newest_state();
  if (state) {
    warn(state->remark);
    if (const auto count = tasks_before(run); count > 0) warn(recall(run, state->record, count));
    check_resumable(state->record, run.identity, run.config, run.tasks());
    run.alphas = read_tasks_done(run, run.folder, state->record.tasks_done);
    run.state = state_of(state->record);
    run.state_content_sha256 = state->content_sha256;
  }
  NewestStep step = run.folder.newest_step(run.state.tasks_done, run.state_content_sha256);
  warn(step.remark);
  if (step.record) {
    check_resumable(*step.record, run.identity, run.config, run.tasks());
    run.progress = std::move(step.record->progress);
  }
  run.folder.forget_steps(run.state.tasks_done, run.progress ? run.progress->steps_done : 0);
  if (run.progress) {
    warn(run.folder.cut_logs(*run.progress));
  } else if (state) {
    warn(run.folder.cut_logs(run.state.tasks_done - 1));
  }
  return state || run.progress;
}

// --fork, --continue: a run folder, or a state in one.
struct Origin {
  RunFolder folder;
  StateRecord state;
  std::vector<double> alphas;     // of its tasks
  std::int64_t tasks_before = 0;  // of these, not in the protocol
};

// On rank 0.
Origin open_origin(OpenRun& run) {
  const std::filesystem::path from = origin_of(run.config);
  const std::string option =
      concat(run.config.fork.empty() ? "--continue " : "--fork ", from.string());
  const bool is_folder = std::filesystem::is_directory(from);
  const RunFolder folder(is_folder ? from : from.parent_path() / "");
  if (!folder.manifest()) {
    throw InputError(concat(option,
                            ": expected a run folder, or a state in one, found no manifest.json "
                            "there: the records of its tasks are needed too"));
  }
  std::optional<StateRecord> state;
  if (!is_folder) {
    state = read_state_record(from);
  } else if (const auto newest = folder.newest_state()) {
    warn(newest->remark);
    state = newest->record;
  }
  if (!state) {
    throw InputError(
        concat(option, ": expected a run with a finished task, or a state of one, found none"));
  }
  const std::int64_t before = run.config.fork.empty()
                                  ? state->tasks_done
                                  : std::min(state->tasks_done, folder.manifest()->tasks_before);
  if (before > 0) warn(recall(run, *state, before));
  check_forkable(*state, run.identity, run.config, run.model->layout(), needs_fisher(run.config),
                 run.tasks());
  std::vector<double> alphas = read_tasks_done(run, folder, state->tasks_done);
  if (!needs_fisher(run.config)) {  // it would lack the tasks that come now
    state->s0.clear();
    state->s1.clear();
    state->fisher_kind.clear();
    state->fisher_scale.clear();
  }
  if (!run.config.head_align) state->class_statistics.clear();  // likewise
  // What every record from now on is made with.
  state->config = run.identity.config;
  state->numerics = run.identity.numerics;
  state->pack_content_sha256 = run.identity.pack_content_sha256;
  return {folder, *state, std::move(alphas), before};
}

// On rank 0: makes the folder and leaves the state fresh, or takes what there is.
void open_folder(OpenRun& run) {
  run.lock = run.folder.lock();
  run.folder.remove_temporaries();
  if (run.config.resume == "auto" && resume(run)) return;
  std::optional<Origin> origin;  // opened before anything is written
  if (!origin_of(run.config).empty()) origin = open_origin(run);
  const std::string description = run_json(run.config, run.identity, run.group.size());
  if (run.config.resume == "auto") {
    run.folder.restart(description);
  } else {
    run.folder.create(description);
  }
  if (!origin) return;
  run.folder.begin_with(origin->folder, origin->state, origin->tasks_before);
  run.state_content_sha256 = run.folder.newest_state().value().content_sha256;
  run.state = state_of(origin->state);
  run.alphas = origin->alphas;
}

// With the pack where it is to be read.
RunConfig staged(RunConfig config, HostGroup& group, Watchdog& watchdog) {
  if (!config.stage.empty())
    config.pack = staged_pack(config.pack, config.stage, group, watchdog).string();
  return config;
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
  const RunConfig staged_config = staged(config, group, watchdog);
  Inputs inputs =
      group.work("opening pack and backbone", [&] { return open_inputs(staged_config); });
  Placement placement = make_placement(config.device, config.share_device, group, watchdog);
  if (!config.cuda_graphs) placement.make_graph = nullptr;
  std::unique_ptr<Backbone> model = group.work("placing the backbone", [&] {
    return make_backbone(inputs.weights, inputs.backbone, inputs.choice, placement.device);
  });
  PixelSource pixels(placement.device, placement.room_for_images());
  std::unique_ptr<MergeRule> rule = make_merge_rule(config.merge);
  RunConfig resolved = config;
  resolved.device = placement.device.is_cuda() ? "cuda" : "cpu";
  RunIdentity identity = identity_of(resolved, inputs, placement, group.size());
  StreamState fresh = initial_state(model->layout(), group.rank() == 0 && needs_fisher(config));
  OpenRun run{.config = std::move(resolved),
              .group = group,
              .watchdog = watchdog,
              .events = events,
              .stop = StopRequest(group, 60 * config.stop_after),
              .inputs = std::move(inputs),
              .placement = std::move(placement),
              .pixels = std::move(pixels),
              .model = std::move(model),
              .rule = std::move(rule),
              .fisher_scale = parse_fisher_scale(config.fisher_scale),
              .identity = std::move(identity),
              .folder = RunFolder(config.out),
              .lock = {},
              .state = std::move(fresh),
              .progress = std::nullopt,
              .state_content_sha256 = {},
              .alphas = {}};

  constexpr std::string_view kPhase = "agreement at the start";
  group.agree(run.identity.config, "settings", kPhase);
  group.agree(run.identity.backbone_sha256, "backbone's weights (SHA-256)", kPhase);
  group.agree(run.inputs.shape_sha256, "backbone's shape, by its config.json (hash)", kPhase);
  group.agree(run.identity.pack_content_sha256, "pack (content hash)", kPhase);
  group.agree(run.inputs.tasks_sha256, "tasks, by protocol and --tasks (hash)", kPhase);
  if (!config.allow_numerics_change) {
    group.agree(run.identity.numerics,
                "processor, library versions, instruction set and threads "
                "(--allow-numerics-change lets them differ)",
                kPhase);
  }
  group.work("opening the run folder", [&] {
    if (!run.is_root()) return;
    run.inputs.pack.verify();
    open_folder(run);
    folder_ready(run.folder, run.state.accuracy);
  });
  broadcast_recalled(run);
  broadcast_state(group, run.state);
  broadcast_progress(group, run.progress);
  events.tell(RunStarted{.folder = config.out,
                         .tasks = static_cast<int>(run.inputs.tasks.size()),
                         .world_size = group.size(),
                         .lanes = static_cast<int>(lanes_of(config, group.size()).count),
                         .device = run.placement.description,
                         .pack_content_sha256 = run.identity.pack_content_sha256,
                         .backbone_sha256 = run.identity.backbone_sha256,
                         .adapted_weights = run.model->layout().size(),
                         .trained_parameters = trained_parameters(run),
                         .resumed_after_task = static_cast<int>(run.state.tasks_done) - 1,
                         .resumed_at_step = run.progress ? run.progress->steps_done : 0});
  return run;
}

}  // namespace palimpsest
