#include "palimpsest/continual/saved_evaluation.h"

#include "known_tasks.h"
#include "palimpsest/classifier/classifier.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/remerge/merge_record.h"

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
        concat(config.pack, " is another pack than the one they were trained on"));
  }
}

// With the model placed, and everything agreed on.
Session opened(const RunConfig& config, const SavedWeights& saved, Inputs inputs, HostGroup& group,
               Watchdog& watchdog) {
  static const RunEvents no_listeners;
  RunConfig at_any_size = config;
  at_any_size.lanes = 0;  // nothing is summed over lanes, of which the run may have had fewer
  Session session =
      open_session(at_any_size, std::move(inputs), /*stop_after=*/0, group, watchdog, no_listeners);
  if (!saved.weights.empty() && !(session.model->layout() == saved.layout)) {
    throw InputError(concat(saved.source,
                            ": its adapted modules are others than those of its recorded "
                            "adapter: the file is damaged"));
  }
  session.stop.accept_requests();  // there is nothing to save first
  group.agree(hash_contents(session.tasks()), "tasks, by protocol and split (hash)",
              "agreement at the start");
  return session;
}

// Agreed on by all ranks.
AdaptedWeights agreed_weights(Session& session, std::vector<float> difference,
                              const SavedWeights& saved) {
  if (difference.empty())
    difference.resize(static_cast<std::size_t>(session.model->layout().size()));
  constexpr std::string_view kPhase = "agreement before the evaluation";
  session.group.agree(weights_hash(difference), "weights to evaluate (hash)", kPhase);
  session.group.agree(hash_contents(saved.memory), "heads and classifier to evaluate (hash)",
                      kPhase);
  return make_weights(std::move(difference));
}

ClassScores saved_scores(const Session& session, const SavedWeights& saved) {
  ClassesSeen seen{.shared = shares_head(session.config.scenario)};
  for (const auto& classes : saved.classes) seen.by_task.push_back(std::ssize(classes));
  const std::unique_ptr<Classifier> classifier = classifiers().make(session.config.classifier);
  check_memory(saved.source, saved.memory, classifier->needs_to_answer(std::ssize(saved.classes)));
  return classifier->scores(saved.memory, seen, session.device());
}

}  // namespace

Session open_evaluation(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                        HostGroup& group, Watchdog& watchdog) {
  Inputs inputs = group.work("opening pack and backbone",
                             [&] { return open_inputs(config, adapter_targets(config.adapter)); });
  check_inputs(inputs, saved, config);
  if (split == "train")
    inputs.remarks.push_back("on the samples that were trained on: it says little about others");
  inputs.tasks = find_tasks(saved, std::move(inputs.tasks), split, config, inputs.remarks);
  return opened(config, saved, std::move(inputs), group, watchdog);
}

Session open_samples(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                     HostGroup& group, Watchdog& watchdog) {
  Inputs inputs = group.work("opening pack and backbone", [&] {
    return open_pack_and_backbone(config, adapter_targets(config.adapter));
  });
  check_inputs(inputs, saved, config);
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

std::vector<float> logits_at(Session& session, const SavedWeights& saved) {
  return compute_logits(session, agreed_weights(session, saved.weights, saved),
                        session.tasks().front().test, saved_scores(session, saved));
}

EvaluationRow evaluate_at(Session& session, std::vector<float> difference,
                          const SavedWeights& saved) {
  return evaluate(session, agreed_weights(session, std::move(difference), saved), session.tasks(),
                  saved_scores(session, saved));
}

Sweep sweep_newest_merge(Session& session, const std::filesystem::path& run,
                         const SavedWeights& saved, std::size_t points) {
  const RunFolder folder(run);
  const auto newest = std::ssize(saved.classes) - 1;
  const TaskRecord task = folder.task(newest);
  std::vector<float> before(static_cast<std::size_t>(saved.layout.size()));
  if (newest > 0) {
    if (!std::filesystem::exists(folder.state_file(newest - 1))) {
      throw InputError(concat(folder.state_file(newest - 1).string(),
                              ": expected the state before the newest merge, found none; a run "
                              "that was begun from another's state has it after its second task"));
    }
    before = read_state_record(folder.state_file(newest - 1)).merged;
  }
  if (weights_hash(before) != task.merge.weights_before) {
    throw InputError(concat(run.string(), ": expected merged weights ", task.merge.weights_before,
                            " before task ", newest + 1, ", found ", weights_hash(before),
                            ": palimpsest-verify names all that is wrong with the run"));
  }
  const std::vector<float> direction =
      make_task_vector(task.lora, saved.layout, static_cast<int>(session.config.device.threads));
  const auto weights_at = [&](double alpha) {
    std::vector<float> weights = before;
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
  for (const double alpha : sweep_alphas(points, own)) {
    if (alpha == own) sweep.own = sweep.points.size();
    sweep.points.push_back({alpha, evaluate_at(session, weights_at(alpha), saved)});
  }
  sweep.best = best_point(sweep.points, session.config.scenario == Scenario::kTaskIncremental);
  return sweep;
}

}  // namespace palimpsest
