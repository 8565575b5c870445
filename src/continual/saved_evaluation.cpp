#include "palimpsest/continual/saved_evaluation.h"

#include <algorithm>
#include <utility>

#include "known_tasks.h"
#include "learn_again.h"
#include "palimpsest/classifier/classifier.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/objective/objective.h"
#include "palimpsest/remerge/merge_record.h"
#include "palimpsest/train/task_passes.h"

namespace palimpsest {
namespace {

void check_same(const SavedWeights& saved, std::string_view what, const std::string& recorded,
                const std::string& now, std::string_view setting) {
  if (recorded == now || recorded.empty()) return;
  throw InputError(concat(saved.source, ": expected the ", what, " ", recorded,
                          " that they were trained on, found ", now, " in ", setting));
}

// Pack and backbone against the weights.
void check_inputs(Inputs& inputs, const SavedWeights& saved, const RunConfig& config) {
  check_same(saved, "backbone (SHA-256)", saved.backbone_sha256, inputs.backbone_sha256,
             config.backbone);
  check_same(saved, "backbone's shape, by its config.json (hash),", saved.backbone_shape_sha256,
             inputs.shape_sha256, config.backbone);
  if (inputs.pack.content_sha256() != saved.pack_content_sha256) {
    inputs.remarks.push_back(
        concat(config.pack, " is not the pack that the weights were trained on"));
  }
}

// Heads compare classes; without them tokens are predicted.
void check_samples(const Pack& pack, const SavedWeights& saved) {
  const bool has_heads = !saved.memory.names("head").empty();
  if (has_heads && pack.has_completions()) {
    throw InputError(concat(saved.source,
                            ": expected weights that learned to predict tokens, found "
                            "heads of classes, but ",
                            pack.path().string(),
                            " has prompts with completions: give a pack of "
                            "samples with classes"));
  }
  if (!has_heads && !pack.has_completions()) {
    throw InputError(
        concat(saved.source,
               ": expected weights with the heads of their tasks, found none: adapters "
               "and decoders that predict tokens have no head, and without one the "
               "samples of ",
               pack.path().string(), " are not classified"));
  }
}

// Of adapters, whose modules may have the name of the model before that of the blocks:
// model.layers.0.mlp.up_proj.
AdaptedLayout without_model_name(const SavedWeights& saved, std::string_view blocks) {
  const std::span<const AdaptedModule> all = saved.layout.modules();
  const std::string model = all.front().name.substr(0, all.front().name.find(blocks));
  std::vector<AdaptedModule> modules;
  for (AdaptedModule module : all) {
    if (!module.name.starts_with(concat(model, blocks)))
      throw InputError(concat(saved.source, ": expected modules of the blocks of one model, as ",
                              all.front().name, ", found ", module.name));
    module.name.erase(0, model.size());  // of all alike, so that their order stays
    modules.push_back(std::move(module));
  }
  return AdaptedLayout(std::move(modules));
}

// With the model placed, and everything agreed on.
Session opened(const RunConfig& config, const SavedWeights& saved, Inputs inputs, HostGroup& group,
               Watchdog& watchdog) {
  static const RunEvents no_listeners;
  RunConfig at_any_size = config;
  at_any_size.lanes = 0;  // nothing is summed over lanes, of which the run may have had fewer
  at_any_size.shard_memory = false;
  AdaptedLayout layout = saved.layout;
  if (saved.is_of_adapters) {
    const BlockShape shape = block_shape(inputs.backbone);
    layout = without_model_name(saved, shape.prefix);
    inputs.choice.targets = targets_in(layout, shape);
  }
  Session session =
      open_session(at_any_size, std::move(inputs), /*stop_after=*/0, group, watchdog, no_listeners);
  if (!saved.weights.empty() && !(session.model->layout() == layout)) {
    throw InputError(
        concat(saved.source, saved.is_of_adapters
                                 ? ": expected adapters of the same matrices in every block of the "
                                   "backbone, found fewer or others"
                                 : ": its adapted modules are others than those of its recorded "
                                   "adapter: the file is damaged"));
  }
  session.stop.accept_requests();  // there is nothing to save first
  group.agree(hash_contents(session.tasks()), "tasks, by protocol and split (hash)",
              "agreement at the start");
  return session;
}

// Agreed on by all ranks. An empty difference is that of the pretrained model.
AdaptedWeights agreed_weights(Session& session, std::vector<float> difference) {
  if (difference.empty())
    difference.resize(static_cast<std::size_t>(session.model->layout().size()));
  session.group.agree(weights_hash(difference), "weights to evaluate (hash)",
                      "agreement before the evaluation");
  return make_weights(std::move(difference));
}

ClassesSeen classes_of(const SavedWeights& saved, const Session& session) {
  ClassesSeen seen{.shared = shares_head(session.config.scenario)};
  for (const auto& classes : saved.classes) seen.by_task.push_back(std::ssize(classes));
  return seen;
}

// Whether the memory has what the classifier needs. One of the run itself needs nothing that is
// optional: where that is missing, the run did without.
bool has_all(const SavedWeights& saved, const NamedTensors& memory, const Classifier& classifier,
             const std::vector<NeededMemory>& needed) {
  const auto of_run = classifiers().make_all(saved.config.classifier);
  const bool is_of_run = std::ranges::any_of(
      of_run, [&](const auto& one) { return one->text() == classifier.text(); });
  return std::ranges::all_of(needed, [&](const NeededMemory& part) {
    if (part.is_optional && is_of_run) return true;
    return std::ranges::all_of(part.names,
                               [&](const std::string& name) { return memory.contains(name); });
  });
}

std::vector<ClassScores> saved_scores(Session& session, const SavedWeights& saved) {
  session.group.agree(hash_contents(saved.memory), "heads and classifiers to evaluate (hash)",
                      "agreement before the evaluation");
  std::vector<ClassScores> scores;
  for (const auto& classifier : classifiers().make_all(session.config.classifier)) {
    if (!has_all(saved, saved.memory, *classifier,
                 classifier->needs_to_answer(std::ssize(saved.classes)))) {
      throw UsageError(concat(saved.source, " with --classifier ", classifier->text(),
                              ": it has learned by ", saved.config.classifier,
                              " alone; palimpsest eval lets another classifier learn its tasks "
                              "again"));
    }
    scores.push_back(
        classifier->scores(saved.memory, classes_of(saved, session), session.device()));
  }
  return scores;
}

}  // namespace

Session open_evaluation(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                        HostGroup& group, Watchdog& watchdog) {
  Inputs inputs = group.work("opening pack and backbone",
                             [&] { return open_inputs(config, adapter_targets(config.adapter)); });
  check_inputs(inputs, saved, config);
  check_samples(inputs.pack, saved);
  if (split == "train")
    inputs.remarks.push_back("on training samples: accuracy on other samples may be much lower");
  inputs.tasks = find_tasks(saved, std::move(inputs.tasks), split, config, inputs.remarks);
  return opened(config, saved, std::move(inputs), group, watchdog);
}

Session open_samples(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                     HostGroup& group, Watchdog& watchdog) {
  Inputs inputs = group.work("opening pack and backbone", [&] {
    return open_pack_and_backbone(config, adapter_targets(config.adapter));
  });
  check_inputs(inputs, saved, config);
  if (inputs.pack.has_completions()) {
    throw UsageError(concat(config.pack,
                            " has prompts with completions, and predict classifies samples: "
                            "palimpsest eval measures how well completions are predicted"));
  }
  check_samples(inputs.pack, saved);
  Task task{.index = 0,
            .name = std::string(split),
            .classes = known_classes(saved),
            .test = find_samples(saved, inputs.pack, split, config, inputs.remarks)};
  if (task.test.size() == 0) {
    throw UsageError(concat(config.pack, " has no ", split, " samples; --split all takes all"));
  }
  inputs.tasks = {std::move(task)};
  return opened(config, saved, std::move(inputs), group, watchdog);
}

Session open_prompts(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                     HostGroup& group, Watchdog& watchdog) {
  Inputs inputs = group.work("opening pack and backbone", [&] {
    return open_pack_and_backbone(config, adapter_targets(config.adapter));
  });
  check_inputs(inputs, saved, config);
  if (!inputs.pack.has_completions()) {
    throw UsageError(concat(config.pack,
                            " has no prompts: expected a pack of palimpsest pack chat, found one "
                            "of kind ",
                            inputs.pack.kind(), "; palimpsest predict classifies its samples"));
  }
  check_samples(inputs.pack, saved);
  Task task{.index = 0, .name = std::string(split)};
  for (std::int64_t sample = 0; sample < inputs.pack.size(); ++sample) {
    if (split != "all" && inputs.pack.is_test(sample) != (split == "test")) continue;
    task.test.samples.push_back(sample);
    task.test.targets.push_back(0);
  }
  if (task.test.size() == 0)
    throw UsageError(concat(config.pack, " has no ", split, " samples; --split all takes all"));
  inputs.tasks = {std::move(task)};
  return opened(config, saved, std::move(inputs), group, watchdog);
}

std::vector<TokenIds> generate_at(Session& session, const SavedWeights& saved,
                                  std::span<const TokenIds> prompts,
                                  const GenerationLimits& limits) {
  load_weights(session, agreed_weights(session, saved.weights));
  return generate(session, prompts, limits);
}

void complete_memory(Session& session, SavedWeights& saved) {
  const std::int64_t tasks = std::ssize(saved.classes);
  std::vector<std::unique_ptr<Classifier>> lacking;
  for (auto& classifier : classifiers().make_all(session.config.classifier))
    if (!has_all(saved, saved.memory, *classifier, classifier->needs_to_answer(tasks)))
      lacking.push_back(std::move(classifier));
  if (lacking.empty()) return;
  const NamedTensors learned = learn_again(session, saved, tasks, lacking);
  for (const auto& classifier : lacking) {
    for (const std::string& name : learned.names(classifier->instance()))
      if (learned.at(name).keeper == Keeper::kEveryRank) saved.memory.put(name, learned.at(name));
  }
}

std::vector<std::vector<float>> scores_at(Session& session, const SavedWeights& saved) {
  return compute_scores(session, agreed_weights(session, saved.weights),
                        session.tasks().front().test, saved_scores(session, saved));
}

std::vector<EvaluationRow> evaluate_saved(Session& session, const SavedWeights& saved) {
  return evaluate(session, agreed_weights(session, saved.weights), session.tasks(),
                  saved_scores(session, saved));
}

namespace {

// theta_hat_{T-1}, and what the classifier knows there.
struct BeforeNewest {
  std::vector<float> weights;
  NamedTensors memory;  // with all heads, the newest one's too
};

BeforeNewest before_newest(Session& session, const SavedWeights& saved,
                           std::span<const std::unique_ptr<Classifier>> classifier) {
  const RunFolder folder(saved.run);
  const std::int64_t newest = std::ssize(saved.classes) - 1;
  BeforeNewest before{.weights = std::vector<float>(static_cast<std::size_t>(saved.layout.size())),
                      .memory = {}};
  if (newest > 0) {
    const std::filesystem::path file = folder.state_file(newest - 1);
    if (!std::filesystem::exists(file)) {
      throw InputError(concat(file.string(),
                              ": expected the state before the newest merge, found none; a run "
                              "that was begun from another's state has it after its second task"));
    }
    StateRecord state = read_state_record(file);
    before.weights = std::move(state.merged);
    const Classifier& own = *classifier.front();
    before.memory = has_all(saved, state.memory, own, own.needs(newest))
                        ? std::move(state.memory)
                        : learn_again(session, saved, newest, classifier);
  }
  put_heads(before.memory, heads_in(saved.memory));
  return before;
}

}  // namespace

Sweep sweep_newest_merge(Session& session, const SavedWeights& saved, std::size_t points) {
  const std::int64_t newest = std::ssize(saved.classes) - 1;
  const TaskRecord task = RunFolder(saved.run).task(newest);
  const auto all = classifiers().make_all(session.config.classifier);
  const auto first = std::span(all).first(1);
  if (all.size() > 1)
    session.inputs.remarks.push_back(
        concat("by the classifier ", first.front()->text(), " alone: a sweep has one"));
  const BeforeNewest before = before_newest(session, saved, first);
  if (weights_hash(before.weights) != task.merge.weights_before) {
    throw InputError(concat(saved.run.string(), ": expected merged weights ",
                            task.merge.weights_before, " before task ", newest + 1, ", found ",
                            weights_hash(before.weights),
                            ": palimpsest verify names all that is wrong with the run"));
  }
  const std::vector<float> direction =
      make_task_vector(task.lora, saved.layout, static_cast<int>(session.config.device.threads));
  const auto weights_at = [&](double alpha) {
    std::vector<float> weights = before.weights;
    add_scaled(weights, alpha, direction);
    return weights;
  };

  Sweep sweep{.task = static_cast<std::size_t>(newest),
              .own_unclamped = task.merge.alpha_unclamped};
  std::optional<double> own;
  if (task.merge.coefficients.size() == 1 &&
      weights_hash(weights_at(task.merge.coefficients[0])) == task.merge.weights_after) {
    own = task.merge.coefficients[0];
  } else {
    sweep.remark = concat("the run's own merge, ", task.merge.rule,
                          ", has no single alpha: its weights aren't on this line");
  }
  const std::unique_ptr<Objective> objective = objectives().make(session.config.objective);
  TaskPasses passes(session, session.tasks().back(), *objective, make_weights(before.weights));
  for (const double alpha : sweep_alphas(points, own)) {
    if (alpha == own) sweep.own = sweep.points.size();
    const AdaptedWeights weights = agreed_weights(session, weights_at(alpha));
    const ClassScores scores = first.front()->scores_before_merge(
        passes, weights, classes_of(saved, session), before.memory);
    sweep.points.push_back(
        {alpha, evaluate(session, weights, session.tasks(), {&scores, 1}).front()});
  }
  sweep.best = best_point(sweep.points, session.config.scenario == Scenario::kTaskIncremental);
  return sweep;
}

}  // namespace palimpsest
