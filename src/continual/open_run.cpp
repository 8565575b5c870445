#include "palimpsest/continual/open_run.h"

#include <iostream>

#include "beginning.h"
#include "continued_run.h"
#include "needed_memory.h"
#include "palimpsest/config/key_table.h"
#include "staging.h"

namespace palimpsest {
namespace {

RunIdentity identity_of(const RunConfig& config, const Inputs& inputs, const Placement& placement,
                        int world_size) {
  return {
      .backbone_name = inputs.backbone_name,
      .backbone_sha256 = inputs.backbone_sha256,
      .backbone_shape_sha256 = inputs.shape_sha256,
      .pack_content_sha256 = inputs.pack.content_sha256(),
      .config = config_json(config, false),
      .numerics = numerics_fingerprint(placement, {.precision = config.precision,
                                                   .threads = config.threads,
                                                   .lanes = lanes_of(config, world_size).count}),
      .seed = config.seed};
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

// With the state fresh. `stages`: the pack may be copied to the node first.
OpenRun open_without_folder(const RunConfig& config, bool stages, HostGroup& group,
                            Watchdog& watchdog, const RunEvents& events) {
  configure_processor(static_cast<int>(config.threads));
  lanes_of(config, group.size());  // refused before anything is opened
  const RunConfig found = stages ? staged(config, group, watchdog) : config;
  Inputs inputs = group.work("opening pack and backbone", [&] { return open_inputs(found); });
  if (group.rank() == 0) {
    for (const std::string& remark : inputs.remarks) std::cerr << "palimpsest: " << remark << '\n';
  }
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
  StreamState fresh = initial_state(model->layout(), group.rank() == 0 ? curvature_of(config) : "");
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
  group.work("checking the pack", [&] {
    if (run.is_root()) run.inputs.pack.verify();
  });
  return run;
}

// Collective: what rank 0 has found, to all.
void share_beginning(OpenRun& run) {
  broadcast_recalled(run);
  broadcast_state(run.group, run.state);
  broadcast_progress(run.group, run.progress);
}

}  // namespace

OpenRun open_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                 const RunEvents& events, const FolderReady& folder_ready) {
  OpenRun run = open_without_folder(config, /*stages=*/true, group, watchdog, events);
  group.work("opening the run folder", [&] {
    if (!run.is_root()) return;
    run.lock = run.folder.lock();
    run.folder.remove_temporaries();
    write_beginning(run, find_beginning(run));
    folder_ready(run.folder, run.state.accuracy);
  });
  share_beginning(run);
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

OpenRun open_without_writing(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                             const RunEvents& events) {
  OpenRun run = open_without_folder(config, /*stages=*/false, group, watchdog, events);
  group.work("reading the run folder", [&] {
    if (!run.is_root()) return;
    run.folder.check_usable();
    find_beginning(run);
  });
  share_beginning(run);
  return run;
}

}  // namespace palimpsest
