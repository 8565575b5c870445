// The paper's: the tasks' heads side by side, each trained over its own classes alone. Two remedies
// that are not in the paper: `refit` trains the task's head once more on the merged model, `align`
// trains all heads together on features drawn from every class's mean and variance (as SLCA).
#include "palimpsest/classifier/classifier.h"
#include "palimpsest/classifier/head_alignment.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/head/class_statistics.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

class Local : public Classifier {
 public:
  explicit Local(const KindSettings& settings)
      : Classifier(settings), refit_(settings.whole("refit")), align_(settings.whole("align")) {}

  bool refits_heads() const override { return refit_ > 0; }
  bool aligns_heads() const override { return align_ > 0; }
  bool takes_features() const override { return refits_heads() || aligns_heads(); }

  void learn(TaskPasses& passes, const AdaptedWeights& merged, const ClassesSeen&,
             NamedTensors& memory) const override {
    if (!takes_features()) return;
    const at::Tensor& features = passes.features(merged);
    if (refit_ > 0) refit(passes, features, memory);
    if (align_ > 0) align(passes, features, memory);
    passes.session().group.agree(heads_hash(heads_in(memory)), "hash of the heads after the merge",
                                 "agreement after fitting the heads");
  }

  ClassScores scores(const NamedTensors& memory, const ClassesSeen& seen,
                     at::Device device) const override {
    const std::vector<Head> heads = heads_in(memory);
    const std::span<const Head> used = seen.shared ? std::span(heads).last(1) : std::span(heads);
    return [head = place(joined(used), device)](const at::Tensor& features) {
      return head.logits(features);
    };
  }

  std::vector<NeededMemory> needs(std::int64_t tasks) const override {
    if (align_ == 0) return {};
    const std::string reason =
        "it kept no class statistics of its tasks, whose data is gone; only a run with "
        "--classifier local:align=N keeps them";
    return {{.names = names_by_task(kClassStatistics, tasks, {"mean", "variance"}),
             .settings = "--classifier local:align=N",
             .if_none = reason,
             .if_other = reason}};
  }

  std::vector<NeededMemory> needs_to_answer(std::int64_t) const override { return {}; }

  void check(const NamedTensors& memory, const ClassesSeen& seen) const override {
    if (!aligns_heads()) return;
    const std::vector<ClassStatistics> statistics = class_statistics_in(memory);
    for (std::size_t task = 0; task < statistics.size(); ++task) {
      if (task < seen.by_task.size() && statistics[task].classes == seen.by_task[task]) continue;
      throw Error(concat(kClassStatistics, '/', task, ": statistics of ", statistics[task].classes,
                         " classes, other than the task's"));
    }
  }

 private:
  void refit(TaskPasses& passes, const at::Tensor& features, NamedTensors& memory) const {
    Session& session = passes.session();
    const Task& task = passes.task();
    const Head head = heads_in(memory).back();
    const auto settings = settings_after_merge(session.config, task.train.size(), refit_);
    const auto on_nonfinite = [&](const NonfiniteStep& at) {
      skip_step(session, task, at, StepOf::kHeadAfterMerge);
    };
    put_head(
        memory, task.index,
        train_head(features, task.train.targets, std::ssize(task.classes), task.index, head,
                   place(head, session.device()).kind, passes.objective(), settings, on_nonfinite)
            .head);
  }

  // The new task's statistics at theta_hat_t, the others' as they were after their own merges.
  void align(TaskPasses& passes, const at::Tensor& features, NamedTensors& memory) const {
    const Task& task = passes.task();
    put_class_statistics(
        memory, task.index,
        class_statistics(to_host(features), task.train.targets, std::ssize(task.classes)));
    if (task.index == 0) return;  // trained on features of all classes seen
    const std::vector<ClassStatistics> statistics = class_statistics_in(memory);
    std::int64_t draws = 0;
    for (const ClassStatistics& known : statistics) draws += kDrawsPerClass * known.classes;
    const auto settings = settings_after_merge(passes.session().config, draws, align_);
    put_heads(memory, aligned_heads(heads_in(memory), statistics, settings, task.index,
                                    passes.objective(), passes.session().device()));
  }

  std::int64_t refit_, align_;  // passes; 0: not at all
};

}  // namespace

ClassifierKind local_classifier() {
  const auto passes = [](std::string_view name, std::string_view help) {
    return SettingSpec{.name = name,
                       .type = Type::kWhole,
                       .default_value = 0u,
                       .minimum = 0,
                       .maximum = 1e9,
                       .help = help};
  };
  return {.name = "local",
          .help = "The tasks' heads side by side, as in the paper.",
          .keys = {passes("refit",
                          "Passes that train the task's head once more on the merged "
                          "model, on features of the test view. Not in the paper."),
                   passes("align",
                          "Passes after each merge from the second on that train all heads "
                          "together on features drawn from every class's mean and variance "
                          "(as SLCA). Not in the paper.")},
          .make = make_kind<Local>};
}

}  // namespace palimpsest
