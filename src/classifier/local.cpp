// The paper's: the tasks' heads side by side, each trained over its own classes alone. Three
// remedies that are not in the paper leave these heads as they are and keep what they make of them:
// `refit` trains the task's head once more on the merged model, `align` trains all heads together
// on features drawn from every class's normal distribution (as SLCA), and `normalise` divides each
// task's logits by their norm on its own training samples.
#include <ATen/ATen.h>

#include <cmath>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/classifier/head_alignment.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

class Local : public Classifier {
 public:
  explicit Local(const KindSettings& settings)
      : Classifier(settings),
        refit_(settings.whole("refit")),
        aligns_(settings.word("align") == "gaussian"),
        normalises_(settings.is_on("normalise")) {
    if (!aligns_ || !normalises_) return;
    throw UsageError(concat(
        "classifier '", text(),
        "': normalise=true needs the norm of a task's logits on its own samples, and "
        "align=gaussian trains its head again when these samples are gone; give one of the two"));
  }

  bool refits_heads() const override { return refit_ > 0; }
  bool aligns_heads() const override { return aligns_; }
  bool takes_features() const override { return refits_heads() || aligns_ || normalises_; }

  void learn(TaskPasses& passes, const AdaptedWeights& merged, const ClassesSeen&,
             NamedTensors& memory) const override {
    if (!takes_features()) return;
    const at::Tensor& features = passes.features(merged);
    if (refit_ > 0)
      put_head(memory, refitted(), passes.task().index, refit(passes, features, memory));
    if (aligns_) align(passes, features, memory);
    if (normalises_) put_norm(passes, features, memory);
    passes.session().group.agree(answer_hash(memory), "hash of what the classifier answers with",
                                 "agreement after fitting the heads");
  }

  // Runs that an earlier version wrote have their refitted and aligned heads in place of the
  // trained ones.
  ClassScores scores(const NamedTensors& memory, const ClassesSeen& seen,
                     at::Device device) const override {
    const std::vector<Head> heads = heads_in(memory, instance());
    const std::span<const Head> used = seen.shared ? std::span(heads).last(1) : std::span(heads);
    const DeviceHead head = place(joined(used), device);
    if (!normalises_) return [head](const at::Tensor& features) { return head.logits(features); };
    std::vector<float> norms;
    for (std::size_t i = 0; i < used.size(); ++i) {
      const std::size_t task = heads.size() - used.size() + i;
      norms.insert(norms.end(), static_cast<std::size_t>(used[i].classes),
                   memory.values<float>(concat(instance(), '/', task, "/norm"), {1})[0]);
    }
    const at::Tensor divisors = from_host(norms, {std::ssize(norms)}, device);
    return [head, divisors](const at::Tensor& features) {
      return head.logits(features).div(divisors);
    };
  }

  std::vector<NeededMemory> needs(std::int64_t tasks) const override {
    std::vector<NeededMemory> needed = needs_to_answer(tasks);
    if (aligns_) {
      needed.push_back(required({"mean", "factor", "rest"}, tasks,
                                "it kept no class statistics of its tasks, whose data is gone"));
    }
    if (aligns_ && refit_ > 0) needed.push_back(own_heads(refitted(), tasks));
    return needed;
  }

  std::vector<NeededMemory> needs_to_answer(std::int64_t tasks) const override {
    std::vector<NeededMemory> needed;
    if (normalises_) {
      needed.push_back(required({"norm"}, tasks,
                                "it kept no norms of its tasks' logits; --classifier local answers "
                                "by the heads"));
    }
    if (aligns_ || refit_ > 0) needed.push_back(own_heads(instance(), tasks));
    return needed;
  }

  void check(const NamedTensors& memory, const ClassesSeen& seen) const override {
    for (const std::string& own : {instance(), refitted()}) heads_in(memory, own);
    for (std::size_t task = 0; task < seen.by_task.size(); ++task) {
      const std::string place = concat(instance(), '/', task);
      if (normalises_ && !(memory.values<float>(place + "/norm", {1})[0] > 0))
        throw Error(concat(place, "/norm: expected a number above 0"));
      if (!aligns_) continue;
      const auto classes =
          class_statistics_in(memory, instance(), static_cast<std::int64_t>(task)).classes();
      if (classes == seen.by_task[task]) continue;
      throw Error(concat(place, ": expected statistics of ", seen.by_task[task],
                         " classes, as the task has, found ", classes));
    }
  }

  // Of an alignment: what a pass draws, and statistics with at most all directions, once and in a
  // copy.
  ClassifierCost cost(const LearnedSamples& of) const override {
    constexpr std::int64_t kVectors = kDrawsPerClass + 2 * (kCovarianceRank + 1);
    if (!aligns_) return {};
    return {.at_work = sizeof(float) * static_cast<double>(kVectors * of.seen * of.features)};
  }

 private:
  // Where refitted heads are: what answers, or, with an alignment, what it begins with.
  std::string refitted() const { return concat(instance(), aligns_ ? "/refitted" : ""); }

  NeededMemory required(std::initializer_list<const char*> arrays, std::int64_t tasks,
                        const std::string& reason) const {
    const std::string settings = concat("--classifier ", text());
    const std::string why = concat(reason, "; only a run with ", settings, " keeps them");
    return {.names = names_by_task(instance(), tasks, arrays),
            .settings = settings,
            .if_none = why,
            .if_other = why};
  }

  // Where one is missing, as in runs of earlier versions, the head of the task takes its place.
  static NeededMemory own_heads(const std::string& place, std::int64_t tasks) {
    return {.names = names_by_task(place, tasks, {"weight", "bias"}),
            .settings = {},
            .if_none = {},
            .if_other = {},
            .is_optional = true};
  }

  std::string answer_hash(const NamedTensors& memory) const {
    NamedTensors answer;
    for (const std::string& name : memory.names(instance()))
      if (memory.at(name).keeper == Keeper::kEveryRank) answer.put(name, memory.at(name));
    return hash_contents(answer);
  }

  Head refit(TaskPasses& passes, const at::Tensor& features, const NamedTensors& memory) const {
    Session& session = passes.session();
    const Task& task = passes.task();
    const Head head = heads_in(memory).back();
    const auto settings = settings_after_merge(session.config, task.train.size(), refit_);
    const auto on_nonfinite = [&](const NonfiniteStep& at) {
      skip_step(session, task, at, StepOf::kHeadAfterMerge);
    };
    return train_head(features, task.train.targets, std::ssize(task.classes), task.index, head,
                      place(head, session.device()).kind, passes.objective(), settings,
                      on_nonfinite)
        .head;
  }

  // On rank 0: the new task's statistics at theta_hat_t, the others' as they were after their own
  // merges. The first task has nothing to be aligned with.
  void align(TaskPasses& passes, const at::Tensor& features, NamedTensors& memory) const {
    Session& session = passes.session();
    const Task& task = passes.task();
    if (!features.isfinite().all().item<bool>()) {
      throw DivergedError(
          concat("task ", task.index + 1, ": features of its training samples are not finite"));
    }
    session.group.work("alignment of the heads on rank 0", [&] {
      if (!session.is_root()) return;
      put_class_statistics(
          memory, instance(), task.index,
          class_statistics(features, task.train.targets, std::ssize(task.classes)));
      std::vector<ClassStatistics> statistics;
      for (std::int64_t t = 0; t <= task.index; ++t)
        statistics.push_back(class_statistics_in(memory, instance(), t));
      std::vector<Head> aligned = refit_ > 0 ? heads_in(memory, refitted()) : heads_in(memory);
      if (task.index > 0)
        aligned = aligned_heads(aligned, statistics, session.config.seed, session.device());
      for (std::size_t t = 0; t < aligned.size(); ++t)
        put_head(memory, instance(), static_cast<std::int64_t>(t), std::move(aligned[t]));
    });
    broadcast(session.group, memory, "broadcast of the aligned heads", instance());
  }

  // Logits that are all zero stay so: they are divided by 1.
  void put_norm(TaskPasses& passes, const at::Tensor& features, NamedTensors& memory) const {
    const std::int64_t task = passes.task().index;
    const Head head = heads_in(memory, instance()).back();
    const double norm = place(head, features.device())
                            .logits(features)
                            .to(at::kDouble)
                            .norm(2, {1})
                            .mean()
                            .item<double>();
    if (!std::isfinite(norm)) {
      throw DivergedError(concat("task ", task + 1, ": the mean norm of its logits is ", norm,
                                 "; expected a finite number. Lower --head-lr or --lr"));
    }
    const auto rounded = static_cast<float>(norm);
    memory.put(concat(instance(), '/', task, "/norm"),
               {.dims = {1}, .values = std::vector<float>{rounded > 0 ? rounded : 1}});
  }

  std::int64_t refit_;  // passes; 0: not at all
  bool aligns_, normalises_;
};

}  // namespace

ClassifierKind local_classifier() {
  return {
      .name = "local",
      .help = "The tasks' heads side by side, as in the paper.",
      .keys = {{.name = "refit",
                .type = Type::kWhole,
                .default_value = 0u,
                .minimum = 0,
                .maximum = 1e9,
                .help = "Passes that train the task's head again on the merged model, without "
                        "augmentation. Not in the paper."},
               {.name = "align",
                .type = Type::kWord,
                .default_value = std::string("none"),
                .choices = {"none", "gaussian"},
                .help = "gaussian: after each merge from the second on, train all heads together "
                        "on features drawn from each class's mean and covariance (SLCA; Zhang et "
                        "al., 2023). Only evaluation uses these heads. Not in the paper."},
               {.name = "normalise",
                .type = Type::kSwitch,
                .default_value = false,
                .help = "Divide each task's logits by their mean norm over its training samples, "
                        "measured after its merge. Not in the paper."}},
      .make = make_kind<Local>,
      .other_names = {{"linear", "local"}, {"softmax", "local"}}};
}

}  // namespace palimpsest
