#include "palimpsest/continual/evaluation.h"

#include "known_tasks.h"
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
void check_inputs(const Inputs& inputs, const SavedWeights& saved, const RunConfig& config,
                  std::vector<std::string>& remarks) {
  check_same(saved, "backbone (SHA-256)", saved.backbone_sha256, inputs.backbone_sha256,
             config.backbone);
  check_same(saved, "backbone's shape, by its config.json (hash),", saved.backbone_shape_sha256,
             inputs.shape_sha256, config.backbone);
  if (inputs.pack.content_sha256() != saved.pack_content_sha256) {
    remarks.push_back(concat(config.pack, " is another pack than the one they were trained on"));
  }
}

// With the model placed, and everything agreed on.
Evaluation opened(const RunConfig& config, const SavedWeights& saved, Inputs inputs,
                  std::vector<Task> tasks, std::vector<std::string> remarks, HostGroup& group,
                  Watchdog& watchdog) {
  Placement placement = make_placement(config.device, config.share_device, group, watchdog);
  if (!config.cuda_graphs) placement.make_graph = nullptr;
  std::unique_ptr<Backbone> model = group.work("placing the backbone", [&] {
    return make_backbone(inputs.weights, inputs.backbone, inputs.choice, placement.device);
  });
  if (!saved.weights.empty() && !(model->layout() == saved.layout)) {
    throw InputError(concat(saved.source,
                            ": its adapted modules are others than those of its recorded "
                            "lora-targets: the file is damaged"));
  }
  PixelSource pixels(placement.device, placement.room_for_images());
  Evaluation evaluation{.config = config,
                        .group = group,
                        .watchdog = watchdog,
                        .stop = StopRequest(group, 0),
                        .inputs = std::move(inputs),
                        .placement = std::move(placement),
                        .pixels = std::move(pixels),
                        .model = std::move(model),
                        .tasks = std::move(tasks),
                        .remarks = std::move(remarks)};
  evaluation.stop.heed();  // there is nothing to save first
  constexpr std::string_view kPhase = "agreement at the start";
  group.agree(evaluation.inputs.backbone_sha256, "backbone's weights (SHA-256)", kPhase);
  group.agree(evaluation.inputs.pack.content_sha256(), "pack (content hash)", kPhase);
  group.agree(hash_of(evaluation.tasks), "tasks, by protocol and split (hash)", kPhase);
  return evaluation;
}

// The model takes these weights: theta_hat_0 + difference.
void hold(Evaluation& evaluation, std::span<const float> difference, std::span<const Head> heads) {
  const auto size = static_cast<std::size_t>(evaluation.model->layout().size());
  std::vector<float> weights(difference.begin(), difference.end());
  if (weights.empty()) weights.assign(size, 0);
  constexpr std::string_view kPhase = "agreement before the evaluation";
  evaluation.group.agree(weights_hash(weights), "weights to evaluate (hash)", kPhase);
  evaluation.group.agree(heads_hash(heads), "heads to evaluate (hash)", kPhase);
  evaluation.model->set_difference(weights);
}

SampleReader reader_of(Evaluation& evaluation) {
  return {evaluation.inputs.pack, evaluation.inputs.transform, evaluation.config.seed,
          evaluation.pixels};
}

}  // namespace

Evaluation open_evaluation(const RunConfig& config, const SavedWeights& saved,
                           std::string_view split, HostGroup& group, Watchdog& watchdog) {
  configure_processor(static_cast<int>(config.threads));
  Inputs inputs = group.work("opening pack and backbone", [&] { return open_inputs(config); });
  std::vector<std::string> remarks = inputs.remarks;
  check_inputs(inputs, saved, config, remarks);
  if (split == "train")
    remarks.push_back("on the samples that were trained on: it says little about others");
  std::vector<Task> tasks = tasks_of(saved, inputs.tasks, split, config, remarks);
  return opened(config, saved, std::move(inputs), std::move(tasks), std::move(remarks), group,
                watchdog);
}

Evaluation open_samples(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                        HostGroup& group, Watchdog& watchdog) {
  configure_processor(static_cast<int>(config.threads));
  Inputs inputs =
      group.work("opening pack and backbone", [&] { return open_pack_and_backbone(config); });
  std::vector<std::string> remarks = inputs.remarks;
  check_inputs(inputs, saved, config, remarks);
  Task task{.index = 0,
            .name = std::string(split),
            .classes = known_classes(saved),
            .train = {},
            .test = {}};
  task.test = samples_of(saved, inputs.pack, split, config, remarks);
  if (task.test.size() == 0) {
    throw UsageError(concat(config.pack, " has no ", split, " samples; --split all takes all"));
  }
  return opened(config, saved, std::move(inputs), {std::move(task)}, std::move(remarks), group,
                watchdog);
}

std::vector<float> logits_at(Evaluation& evaluation, const SavedWeights& saved) {
  hold(evaluation, saved.weights, saved.heads);
  const SampleReader reader = reader_of(evaluation);
  return logits_of(*evaluation.model, reader, evaluation.tasks.front().test,
                   heads_in_use(evaluation.config.scenario, saved.heads),
                   evaluation.config.evaluation_batch, evaluation.group, evaluation.watchdog,
                   evaluation.stop, evaluation.placement.make_graph);
}

EvaluationRow evaluate_at(Evaluation& evaluation, std::span<const float> difference,
                          std::span<const Head> heads) {
  hold(evaluation, difference, heads);
  const SampleReader reader = reader_of(evaluation);
  return evaluate(*evaluation.model, reader, evaluation.tasks,
                  heads_in_use(evaluation.config.scenario, heads),
                  evaluation.config.evaluation_batch, evaluation.group, evaluation.watchdog,
                  evaluation.stop, evaluation.placement.make_graph);
}

Sweep sweep_newest_merge(Evaluation& evaluation, const std::filesystem::path& run,
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
      task_vector_of(task.lora, saved.layout, static_cast<int>(evaluation.config.threads));
  const auto weights_at = [&](double alpha) {
    std::vector<float> weights = before;
    add_scaled(weights, alpha, direction);
    return weights;
  };

  Sweep sweep{.task = static_cast<std::size_t>(newest),
              .points = {},
              .best = 0,
              .own = std::nullopt,
              .own_unclamped = task.merge.alpha_unclamped,
              .remark = {}};
  std::optional<double> own;
  if (task.merge.coefficients.size() == 1 &&
      weights_hash(weights_at(task.merge.coefficients[0])) == task.merge.weights_after) {
    own = task.merge.coefficients[0];
  } else {
    sweep.remark = concat("the run's own merge, ", task.merge.rule,
                          ", has no single alpha: its weights don't stand on this line");
  }
  for (const double alpha : sweep_alphas(points, own)) {
    if (alpha == own) sweep.own = sweep.points.size();
    sweep.points.push_back({alpha, evaluate_at(evaluation, weights_at(alpha), saved.heads)});
  }
  sweep.best = best_point(sweep.points, evaluation.config.scenario == "task-incremental");
  return sweep;
}

}  // namespace palimpsest
