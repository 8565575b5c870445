#include "beginning.h"

#include <algorithm>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "continued_run.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"
#include "palimpsest/core/version.h"
#include "palimpsest/format/input_paths.h"
#include "palimpsest/kinds/kind_settings.h"
#include "palimpsest/method/settings.h"

namespace palimpsest {
namespace {

std::string run_json(const RunConfig& given, const RunIdentity& identity, int world_size) {
  const RunConfig config = with_absolute_paths(all_settings(), given);
  const InputPaths inputs = {{"pack", config.pack},
                             {"protocol", config.protocol},
                             {"backbone", config.backbone},
                             {"general", config.general}};
  return nlohmann::ordered_json{
      {"palimpsest_type", "run"},
      {"palimpsest_version", "1.0.0"},
      {"writer", writer()},
      {"source_revision", source_revision()},
      {"started", std::time(nullptr)},
      {"host", host_name()},
      {"world_size", world_size},
      {"numerics", nlohmann::json::parse(identity.numerics)},
      {"backbone_sha256", identity.backbone_sha256},
      {"pack_content_sha256", identity.pack_content_sha256},
      {"config", nlohmann::ordered_json::parse(config_json(all_settings(), config, true))},
      {"relative_paths", relative_to_run(config.out, inputs)}}
      .dump(2);
}

void warn(const std::string& remark) {
  if (!remark.empty()) std::cerr << "palimpsest: " << remark << std::endl;
}

// The alphas of the tasks that a state of `folder` has learned, which must be those of
// the protocol, sample for sample as far as the records say.
std::vector<double> read_tasks_done(const OpenRun& run, const RunFolder& folder,
                                    std::int64_t tasks_done) {
  std::vector<double> alphas;
  const Manifest manifest = folder.manifest().value();
  for (const Task& task : run.session.tasks().first(static_cast<std::size_t>(tasks_done))) {
    const TaskRecord record = folder.task_summary(manifest, task.index).record;
    if (!task.is_past() && record.train_samples != task.train.size()) {
      throw InputError(concat("cannot resume from ", folder.path().string(), ": task ",
                              task.index + 1, " was trained on ", record.train_samples,
                              " samples, ", run.session.config.protocol, " has ", task.train.size(),
                              ": use the protocol and the --validation that the run began ",
                              "with"));
    }
    alphas.push_back(record.merge.alpha().value_or(1));
  }
  return alphas;
}

// Against what the parts of this run need of the tasks that the state has learned.
void check_saved_memory(const OpenRun& run, const std::filesystem::path& from,
                        const StateRecord& state) {
  const std::string what = concat("cannot resume from ", from.string());
  check_memory(what, state.memory, run.method.needed_memory(state.tasks_done));
  const auto learned = run.session.tasks().first(static_cast<std::size_t>(state.tasks_done));
  try {
    for (const auto& classifier : run.method.classifiers)
      classifier->check(state.memory, classes_seen(learned, run.session.config.scenario));
  } catch (const Error& error) {
    throw InputError(concat(what, ": ", error.what()));
  }
}

// Takes the newest checkpoint that the folder has. False when there is none.
bool take_newest(OpenRun& run) {
  std::optional<NewestState> state = run.folder.state_to_resume();
  if (state) {
    warn(state->remark);
    if (const auto count = tasks_before(run); count > 0) warn(recall(run, state->record, count));
    check_resumable(state->record, run.identity, run.session.config, run.session.tasks());
    check_saved_memory(run, run.session.config.out, state->record);
    run.alphas = read_tasks_done(run, run.folder, state->record.tasks_done);
    run.state = to_stream_state(std::move(state->record));
    run.state_content_sha256 = state->content_sha256;
  }
  NewestStep step = run.folder.newest_step(run.state.tasks_done, run.state_content_sha256);
  warn(step.remark);
  if (step.record) {
    check_resumable(*step.record, run.identity, run.session.config, run.session.tasks());
    run.progress = std::move(step.record->progress);
  }
  return state || run.progress;
}

// What the state has of accuracies becomes what this run's classifiers have, in their order. Of the
// run's own, a classifier that wasn't measured begins with what the origin's own measured. Throws
// UsageError for another that wasn't measured.
void take_accuracies(const OpenRun& run, const std::filesystem::path& from, StateRecord& state) {
  RunConfig recorded;
  take_recorded(all_settings(), state.config, recorded);
  std::vector<OtherAccuracy> known = {{kinds_in(recorded.classifier).front(), state.accuracy}};
  for (OtherAccuracy& other : state.others) known.push_back(std::move(other));
  state.others.clear();
  for (const auto& classifier : run.method.classifiers) {
    const bool is_own = classifier == run.method.classifiers.front();
    const auto found = std::ranges::find(known, classifier->text(), &OtherAccuracy::classifier);
    if (found == known.end() && !is_own) {
      throw UsageError(concat("cannot resume from ", from.string(), " with --classifier ",
                              run.session.config.classifier, ": expected accuracies by ",
                              classifier->text(), " after each of its tasks, found those by ",
                              join(known, " and ", &OtherAccuracy::classifier),
                              ": leave it out, or evaluate by it afterwards (palimpsest eval ",
                              "--classifier)"));
    }
    if (found == known.end()) {
      warn(concat("accuracies after the first ", counted(state.tasks_done, "task"),
                  " are those by ", known.front().classifier, ", as ", from.string(),
                  " has none by ", classifier->text()));
      continue;
    }
    if (is_own)
      state.accuracy = found->accuracy;
    else
      state.others.push_back(*found);
  }
}

OriginRun open_origin(OpenRun& run) {
  const std::filesystem::path from = origin_path(run.session.config);
  const std::string option =
      concat(run.session.config.fork.empty() ? "--continue " : "--fork ", from.string());
  const bool is_folder = std::filesystem::is_directory(from);
  const RunFolder folder(is_folder ? from : from.parent_path() / "");
  if (!folder.manifest()) {
    throw InputError(concat(option, ": expected a run folder, or a state in one, found ",
                            is_folder || !std::filesystem::exists(from)
                                ? describe_missing_run(from)
                                : "no manifest.json beside it: the records of its tasks are needed "
                                  "too"));
  }
  std::optional<StateRecord> state;
  if (!is_folder) {
    check_named_file(from);
    state = read_state_record(from);
  } else if (auto newest = folder.newest_state()) {
    state = std::move(newest->record);
  }
  if (!state) {
    throw InputError(concat(option,
                            ": expected a run with a finished task, or a state of one, found ",
                            describe_missing_run(from)));
  }
  const std::int64_t before = run.session.config.fork.empty()
                                  ? state->tasks_done
                                  : std::min(state->tasks_done, folder.manifest()->tasks_before);
  if (before > 0) warn(recall(run, *state, before));
  check_forkable(*state, run.identity, run.session.config, run.session.model->layout(),
                 run.session.tasks());
  check_saved_memory(run, from, *state);
  run.alphas = read_tasks_done(run, folder, state->tasks_done);
  // It would lack the tasks that come now.
  const std::string unused =
      drop_unused_memory(state->memory, run.method.needed_memory(state->tasks_done));
  if (!unused.empty()) {
    warn(concat("of the memory of ", from.string(),
                ", what no part of this run uses is dropped: ", unused));
  }
  take_accuracies(run, from, *state);
  // What every record from now on is made with.
  state->config = run.identity.config;
  state->numerics = run.identity.numerics;
  state->pack_content_sha256 = run.identity.pack_content_sha256;
  return {folder, *std::move(state), before};
}

}  // namespace

Beginning find_beginning(OpenRun& run) {
  if (run.session.config.resume == Resume::kAuto && take_newest(run)) return {.resumes = true};
  Beginning beginning;
  if (!origin_path(run.session.config).empty()) {
    beginning.origin = open_origin(run);
    run.state = to_stream_state(beginning.origin->state);
  }
  if (run.session.config.resume == Resume::kAuto) {
    run.folder.check_restart();
  } else {
    run.folder.check_create();
  }
  return beginning;
}

void write_beginning(OpenRun& run, const Beginning& beginning) {
  warn(run.lock.remark());
  if (beginning.resumes) {
    run.folder.forget_steps(run.state.tasks_done, run.progress ? run.progress->steps_done : 0);
    if (run.progress) {
      warn(run.folder.cut_logs(*run.progress));
    } else {
      warn(run.folder.cut_logs(run.state.tasks_done - 1));
    }
    return;
  }
  const std::string description =
      run_json(run.session.config, run.identity, run.session.group.size());
  if (run.session.config.resume == Resume::kAuto) {
    run.folder.restart(description);
  } else {
    run.folder.create(description);
  }
  if (!beginning.origin) return;
  const OriginRun& origin = *beginning.origin;
  run.folder.begin_with(origin.folder, origin.state, origin.tasks_before);
  run.state_content_sha256 = run.folder.newest_state().value().content_sha256;
}

}  // namespace palimpsest
