#include "palimpsest/continual/open_run.h"

#include <cmath>
#include <iostream>

#include "beginning.h"
#include "continued_run.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/metrics/scores.h"
#include "sharded_state.h"
#include "staging.h"

namespace palimpsest {
namespace {

RunIdentity make_identity(const Session& session) {
  const RunConfig& config = session.config;
  return {.backbone_name = session.inputs.backbone_name,
          .backbone_sha256 = session.inputs.backbone_sha256,
          .backbone_shape_sha256 = session.inputs.shape_sha256,
          .pack_content_sha256 = session.inputs.pack.content_sha256(),
          .config = config_json(all_settings(), config, false),
          .numerics = numerics_fingerprint(session.placement, config.precision == Precision::kBf16,
                                           config.device.threads, session.lanes.count),
          .seed = config.seed,
          .has_task_score = session.inputs.has_task_score};
}

// Trained for the first task: adapter and, where it isn't the backbone's, head.
std::int64_t trained_parameters(const Session& session, const TrainingParts& parts) {
  const Adapter& adapter = *parts.adapter;
  const bool has_head = parts.head->weights() != HeadWeights::kOfBackbone;
  std::int64_t count =
      has_head ? std::ssize(session.tasks().front().classes) * (session.model->feature_size() + 1)
               : 0;
  const Learns learns = adapter.learns(0);
  for (const AdaptedModule& module : session.model->layout().modules())
    count += adapter.rank() * ((learns.b ? module.out : 0) + (learns.a ? module.in : 0));
  return count;
}

// Throws UsageError where the objective is for samples of another kind than the pack's.
void check_objective(const RunConfig& config, const Objective& objective, const Pack& pack) {
  if (objective.predicts_tokens() == pack.has_completions()) return;
  throw UsageError(
      pack.has_completions()
          ? concat(config.pack, " has prompts with completions, but objective = ", config.objective,
                   " trains classes; set objective to next-token, head to output and classifier to "
                   "none, as configs/methods/next-token.cfg does")
          : concat("objective = ", config.objective, " predicts completions, but ", config.pack,
                   " has samples with classes; give a pack of palimpsest pack chat"));
}

// With the state fresh. `stages`: the pack may be copied to the node first.
OpenRun open_without_folder(const RunConfig& config, bool stages, HostGroup& group,
                            Watchdog& watchdog, const RunEvents& events) {
  make_lanes(config.lanes, group.size());  // refused before anything is opened
  group.agree(config.shard_memory ? "true" : "false", "--shard-memory", "agreement at the start");
  RunConfig found = config;  // with the pack where it is to be read
  if (stages && !config.stage.empty())
    found.pack = staged_pack(config.pack, config.stage, group, watchdog).string();
  Inputs inputs = group.work("opening pack and backbone",
                             [&] { return open_inputs(found, adapter_targets(found.adapter)); });
  Method method = make_method(config);
  check_objective(config, *method.training.objective, inputs.pack);
  if (config.shard_memory) check_shards(config, method);
  if (group.rank() == 0) {
    for (const std::string& remark : inputs.remarks) std::cerr << "palimpsest: " << remark << '\n';
  }
  Session session =
      open_session(config, std::move(inputs), 60 * config.stop_after, group, watchdog, events);
  const auto modules = std::ssize(session.model->layout().modules());
  if (config.shard_memory && modules < group.size()) {
    throw UsageError(concat("--shard-memory: expected at least one adapted module for each of ",
                            counted(group.size(), "rank"), ", found ", modules,
                            "; leave it out, start fewer ranks, or adapt more matrices"));
  }
  RunIdentity identity = make_identity(session);
  constexpr std::string_view kPhase = "agreement at the start";
  group.agree(identity.config, "settings", kPhase);
  group.agree(session.inputs.tasks_sha256, "tasks, by protocol and --tasks (hash)", kPhase);
  if (!config.allow_numerics_change) {
    group.agree(identity.numerics,
                "processor, library versions, instruction set and threads "
                "(--allow-numerics-change lets them differ)",
                kPhase);
  }
  group.work("checking the pack", [&] {
    if (!session.is_root()) return;
    session.inputs.pack.verify();
    if (session.inputs.general) session.inputs.general->verify();
  });
  const bool has_whole = session.is_root() && !session.shards.are_split();
  StreamState fresh =
      initial_state(session.shards.own(), has_whole ? method.curvature_memory() : "");
  return {.session = std::move(session),
          .method = std::move(method),
          .identity = std::move(identity),
          .folder = RunFolder(config.out),
          .state = std::move(fresh)};
}

// Throws InputError where the text of --general is another than that of the tasks done.
void check_general(OpenRun& run) {
  Session& session = run.session;
  if (!session.inputs.general) return;
  const TextLoss found = loss_before_stream(session);
  session.group.work("checking the text of --general", [&] {
    for (std::size_t t = 0; session.is_root() && t < run.state.accuracy.tasks(); ++t) {
      const Score* const before = run.state.accuracy.row(t).find(kGeneralLossBefore);
      if (before == nullptr) continue;
      const double nats = before->sums.back(), tokens = before->weights.back();
      constexpr double kRounding = 1e-3;  // --allow-numerics-change
      if (tokens == static_cast<double>(found.tokens) &&
          std::abs(nats - found.nats) <= kRounding * nats)
        continue;
      throw InputError(concat("cannot resume ", session.config.out, ": after task ", t + 1,
                              " the text of --general had ", tokens, " tokens and a loss of ",
                              nats / tokens, " before the stream, and that of ",
                              session.config.general, " has ", found.tokens, " and ",
                              found.nats / static_cast<double>(found.tokens),
                              ": give the text that the run began with, or leave it out"));
    }
  });
}

// Collective: what rank 0 has found, to all.
void share_beginning(OpenRun& run) {
  broadcast_recalled(run);
  if (run.session.shards.are_split()) {
    const Method& method = run.method;
    share_state(run.session, method.curvature_memory(), run.state);
  } else {
    broadcast_state(run.session.group, run.state);
  }
  broadcast_progress(run.session.group, run.progress);
}

}  // namespace

OpenRun open_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                 const RunEvents& events, const FolderReady& folder_ready) {
  OpenRun run = open_without_folder(config, /*stages=*/true, group, watchdog, events);
  Session& session = run.session;
  group.work("opening the run folder", [&] {
    if (!session.is_root()) return;
    run.lock = run.folder.lock();
    run.folder.remove_temporaries();
    write_beginning(run, find_beginning(run));
    folder_ready(run.folder, run.state);
  });
  share_beginning(run);
  check_general(run);
  events.publish(RunStarted{.folder = config.out,
                            .tasks = static_cast<int>(session.tasks().size()),
                            .world_size = group.size(),
                            .lanes = static_cast<int>(session.lanes.count),
                            .device = session.placement.description,
                            .pack_content_sha256 = run.identity.pack_content_sha256,
                            .backbone_sha256 = run.identity.backbone_sha256,
                            .adapted_weights = session.model->layout().size(),
                            .trained_parameters = trained_parameters(session, run.method.training),
                            .resumed_after_task = static_cast<int>(run.state.tasks_done) - 1,
                            .resumed_at_step = run.progress ? run.progress->steps_done : 0});
  return run;
}

OpenRun open_without_writing(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                             const RunEvents& events) {
  OpenRun run = open_without_folder(config, /*stages=*/false, group, watchdog, events);
  group.work("reading the run folder", [&] {
    if (!run.session.is_root()) return;
    run.folder.check_usable();
    find_beginning(run);
  });
  share_beginning(run);
  return run;
}

}  // namespace palimpsest
