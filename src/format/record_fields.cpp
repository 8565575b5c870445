#include "record_fields.h"

#include <array>

#include "evaluation_table.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

void describe_head(Fields& fields, std::string_view group, Head& head) {
  fields.within(group, "", [&] {
    fields.array("/weight", head.weight, {{"c", head.classes}, {"features", head.features}},
                 "a row for each class");
    fields.array("/bias", head.bias, {{"c", head.classes}}, "a number for each class");
    fields.value(
        "@kind", head.kind,
        "`linear`, also where it is missing; or `cosine`: scale times the cosine of weight "
        "and features, bias zero",
        {.since = "1.2.0", .may_be_missing = true, .least = 1});
    fields.value("@scale", head.scale, "of a cosine head; 1 of a linear one",
                 {.since = "1.2.0", .may_be_missing = true, .is_positive = true});
  });
}

namespace {

using Modules = std::vector<ModuleStatistics>;

// What files of several types say of where they come from.
void describe_settings(Fields& fields, std::string& pack, std::string& config) {
  fields.value("/pack@content_sha256", pack, "of the pack that it learned from; empty of adapters");
  fields.value("/config", config, "settings that bear on the numbers; empty of adapters",
               {.is_json = true});
}

void describe_lora(Fields& fields, std::vector<LoraFactors>& lora, bool may_be_missing) {
  fields.each_named(
      "/lora/<module>", "m", lora, &LoraFactors::module, may_be_missing, [&](LoraFactors& f) {
        fields.value("/lora/<module>@rank", f.rank, "r", {.least = 1, .length = "r"});
        fields.value("/lora/<module>@scale", f.scale, "s of Delta = s B A");
        fields.array("/lora/<module>/A", f.a, {"r", {"in", f.in}}, "none for a frozen backbone");
        fields.array("/lora/<module>/B", f.b, {{"out", f.out}, "r"}, "as A");
      });
}

// That of a task, or the optimizer's moments of it; without classes where the backbone's output
// layer is the head.
void describe_task_head(Fields& fields, std::string_view group, Head& head) {
  if (fields.is_before("3.1.0")) return describe_head(fields, group, head);
  std::optional<Head> own;
  if (fields.writes() && head.classes > 0) own = head;
  fields.optional(concat(group, "/weight"), own,
                  [&](Head& found) { describe_head(fields, group, found); });
  if (fields.reads()) head = std::move(own).value_or(Head());
}

// by_task, by_class: the lengths of its arrays; scores: of the list of names.
void describe_evaluation(Fields& fields, std::string_view group, const char* scores,
                         EvaluationRow& row, const Dims& by_task, const Dims& by_class) {
  fields.within(group, "", [&] {
    fields.array("/samples", row.samples, by_task,
                 "test samples by task seen; 0: not tested, as its data isn't available (`train "
                 "--continue`)");
    fields.each_listed(
        "/scores", "<score>", scores, row.scores, &Score::name, kScoresOfVersion1,
        "names of the scores, in order; accuracy is read from the first", {.since = "2.0.0"},
        [&](Score& score) {
          fields.counts_or_numbers(
              "/<score>", score.sums, are_counts(score.name, score.sums), by_task,
              "a sum by task, for every score; i8 where it counts. `correct`: argmax over all "
              "classes seen; `correct_given_task`: argmax over the task's own classes; "
              "`correct_top5`: among the five largest over all classes seen; `correct_task`: the "
              "class chosen is one of the sample's own task; `loss_given_task`: cross-entropy over "
              "the task's own classes, nats. Of sequences `exact_match`, `task_score` (exact "
              "match, ROUGE-L or choice), `correct_tokens`, `loss_per_token` (nats), and of a text "
              "of no "
              "task, entered at the newest one, `general_loss` and `general_loss_before_stream`");
          std::vector<double> weights = own_weights(score, row);
          fields.counts_or_numbers("/weights/<score>", weights, are_whole(weights), by_task,
                                   "what the sums are divided by, where it isn't `samples`",
                                   {.may_be_missing = true});
          if (fields.reads()) take_weights(score, row, std::move(weights));
        });
    fields.array("/class_samples", row.class_samples, by_class,
                 "test samples by class, task after task",
                 {.since = "1.2.0", .may_be_missing = true});
    fields.array("/class_correct", row.class_correct, by_class,
                 "those of them that count in the first score",
                 {.since = "1.2.0", .may_be_missing = true});
  });
}

// Of the classifiers that aren't the run's own.
template <typename Other, typename Body>
void describe_others(Fields& fields, std::string_view group, std::vector<Other>& others,
                     const Body& body) {
  fields.each_listed(concat(group, "/others"), "<classifier>", "others", others, &Other::classifier,
                     {}, "the run's other classifiers, in order",
                     {.since = "2.1.0", .may_be_missing = true}, [&](Other& other) {
                       fields.within(concat(group, "/classifiers/<classifier>"),
                                     "by another classifier; ", [&] { body(other); });
                     });
}

void describe_fisher(Fields& fields, FisherRecord& f, const std::vector<LoraFactors>& lora) {
  fields.value("/fisher@kind", f.kind,
               "`empirical-per-sample`, `expected-sampled-per-sample`, `expected-exact-per-sample` "
               "or `gram-diagonal`");
  fields.value("/fisher@samples", f.samples, "of the mean");
  fields.value("/fisher@transform", f.transform, "of the inputs: `test`");
  fields.value("/fisher@scale", f.scale, "`none`, `trace` or `secant`");
  fields.value("/fisher@factor", f.factor, "what the values are multiplied by in S0 and S1");
  AdaptedLayout layout;
  if (fields.writes()) layout = adapter_layout(lora);
  fields.matrices(
      "/fisher/<module>", layout, f.values,
      "diagonal Fisher on Delta W, mean over samples, unscaled; of `gram-diagonal`: input squared",
      {.unit = "loss squared per weight squared"}, ModuleArray::kFisher);
}

void describe_merge(Fields& fields, MergeRecord& r) {
  fields.value("/merge/rule", r.rule, "`name`, and the rule's keys that were given",
               {.is_json = true});
  fields.value("/merge/remark", r.remark, "plain words, or empty");
  fields.array("/merge/coefficients", r.coefficients, {"k"},
               "one: alpha; one per module, in order; or one per direction, module after module (r "
               "each), by falling singular value; by coordinate one: (theta_hat_t - "
               "theta_hat_{t-1}) . Delta / Delta . Delta",
               {.may_be_missing = true});
  fields.array("/merge/module_numerators", r.module_numerators, {"m"},
               "of the closed form, by module", {.may_be_missing = true});
  fields.array("/merge/module_denominators", r.module_denominators, {"m"}, "the same",
               {.may_be_missing = true});
  fields.value("/merge@alpha_unclamped", r.alpha_unclamped, "before it was clamped to [0, 1]");
  fields.value("/merge@numerator", r.numerator, "of alpha");
  fields.value("/merge@denominator", r.denominator, "of alpha");
  fields.value("/merge@weights_before", r.weights_before,
               "SHA-256 of theta_hat - theta_hat_0 (f4, flat vector) before the merge");
  fields.value("/merge@weights_after", r.weights_after, "after it");
}

void describe_metrics(Fields& fields, TaskMetrics& r) {
  describe_evaluation(fields, "/metrics/before_merge", "before scores", r.before_merge,
                      {"index + 1"}, {"classes seen"});
  describe_evaluation(fields, "/metrics/after_merge", "after scores", r.after_merge, {"index + 1"},
                      {"classes seen"});
  const auto check_rows = [&](const EvaluationRow& before, const EvaluationRow& after) {
    for (const EvaluationRow* row : {&before, &after})
      fields.check("/metrics", "counts that fit together",
                   [&] { check_row(*row, row->samples.size()); });
  };
  check_rows(r.before_merge, r.after_merge);
  fields.value("/metrics@classifier", r.classifier, "the run's own, by which these were measured",
               {.since = "2.1.0", .may_be_missing = true});
  describe_others(fields, "/metrics", r.others, [&](ClassifierRows& other) {
    describe_evaluation(fields, "/before_merge", "its before scores", other.before_merge,
                        {"index + 1"}, {"classes seen"});
    describe_evaluation(fields, "/after_merge", "its after scores", other.after_merge,
                        {"index + 1"}, {"classes seen"});
    check_rows(other.before_merge, other.after_merge);
  });
  fields.value("/metrics@loss_first_step", r.loss_first_step, "of the first step",
               {.unit = "nats"});
  fields.value("/metrics@loss_last_pass", r.loss_last_pass, "mean over the last pass",
               {.unit = "nats"});
  fields.value("/metrics@loss_merged_before", r.loss_merged_before,
               "L_t(theta_hat_{t-1}) with this head; 0 where it wasn't measured", {.unit = "nats"});
  fields.value("/metrics@loss_trained", r.loss_trained, "L_t(theta_t*), the same",
               {.unit = "nats"});
  fields.value(
      "/metrics@rise_predicted", r.rise_predicted,
      "1/2 d' F_t d, d = theta_hat_t - theta_t*, F_t scaled as in S0; where there is a Fisher",
      {.unit = "nats", .since = "1.2.0"});
  fields.value(
      "/metrics@rise_measured", r.rise_measured,
      "L_t(theta_hat_t) - L_t(theta_t*), head t as trained, training samples (`error-budget`)",
      {.unit = "nats", .since = "1.2.0"});
  fields.value("/metrics/seconds@train", r.seconds_train, "training", {.unit = "s"});
  fields.value("/metrics/seconds@fisher", r.seconds_fisher, "the curvature and its scale",
               {.unit = "s"});
  fields.value("/metrics/seconds@merge", r.seconds_merge, "the merge", {.unit = "s"});
  fields.value("/metrics/seconds@evaluate", r.seconds_evaluate,
               "evaluation, before and after the merge", {.unit = "s"});
}

// A number of every module, as a dataset.
template <typename Number>
void describe_column(Fields& fields, std::string_view path, Modules& modules,
                     Number ModuleStatistics::*member, std::string_view meaning) {
  std::vector<Number> column;
  for (const ModuleStatistics& module : modules) column.push_back(module.*member);
  fields.array(path, column, {"m"}, meaning, {.may_be_missing = true});
  if (fields.reads()) {
    modules.resize(column.size());
    for (std::size_t i = 0; i < column.size(); ++i) modules[i].*member = column[i];
  }
}

void describe_shapes(Fields& fields, Modules& modules) {
  std::vector<std::int64_t> shapes;
  for (const ModuleStatistics& module : modules)
    shapes.insert(shapes.end(), {module.out, module.in, module.rank});
  fields.array("/stats/shape", shapes, {"m", "3"}, "out, in, rank", {.may_be_missing = true});
  if (fields.reads()) {
    for (std::size_t i = 0; i < modules.size() && 3 * i + 2 < shapes.size(); ++i) {
      modules[i].out = shapes[3 * i];
      modules[i].in = shapes[3 * i + 1];
      modules[i].rank = shapes[3 * i + 2];
    }
  }
}

// Row t of each array: what the evaluation after task t has, then zeros.
void describe_accuracy(Fields& fields, StateRecord& r) {
  std::int64_t classes = 0;
  for (const auto& names : r.classes) classes += std::ssize(names);
  if (classes > 0) fields.length("C", classes);
  const auto describe_matrix = [&](std::string_view group, const char* after_scores,
                                   const char* before_scores, AccuracyMatrix& accuracy) {
    EvaluationRow after = to_evaluation_table(accuracy, &AccuracyMatrix::row),
                  before = to_evaluation_table(accuracy, &AccuracyMatrix::row_before_merge);
    describe_evaluation(fields, concat(group, "/after_merge"), after_scores, after, {"T", "T"},
                        {"T", "C"});
    describe_evaluation(fields, concat(group, "/before_merge"), before_scores, before, {"T", "T"},
                        {"T", "C"});
    fields.check("/accuracy", "counts that fit together", [&] {
      accuracy = to_accuracy_matrix(after, before, r.classes, fields.is_before("2.0.0"));
    });
  };
  describe_matrix("/accuracy", "after scores", "before scores", r.accuracy);
  describe_others(fields, "/accuracy", r.others, [&](OtherAccuracy& other) {
    describe_matrix("", "its after scores", "its before scores", other.accuracy);
  });
}

// Returns how many each task has.
std::vector<std::int64_t> describe_classes(Fields& fields,
                                           std::vector<std::vector<std::string>>& classes) {
  if (fields.is_before("3.0.0")) {
    fields.each_numbered(
        "/classes/<task>", "T", false,
        [&](std::vector<std::string>& of_task) {
          fields.array("/classes/<task>", of_task, {"c"}, "`<task>` is decimal, from 0 to T - 1");
        },
        classes);
  }
  std::vector<std::int64_t> counts;
  std::vector<std::string> all;
  for (const std::vector<std::string>& of_task : classes) {
    counts.push_back(std::ssize(of_task));
    all.insert(all.end(), of_task.begin(), of_task.end());
  }
  if (fields.is_before("3.0.0")) return counts;
  fields.array("/class_counts", counts, {"T"}, "classes of each task", {.least = 1});
  fields.array("/classes", all, {"C"}, "of all tasks, task after task");
  if (!fields.reads()) return counts;
  std::int64_t rest = std::ssize(all);
  for (const std::int64_t count : counts) rest = count < 1 || count > rest ? -1 : rest - count;
  fields.check("/class_counts", concat("counts that add up to ", all.size(), " classes"), [&] {
    if (rest != 0) throw Error("others");
  });
  classes.clear();
  if (rest != 0) return {};  // with problems
  auto next = all.begin();
  for (const std::int64_t count : counts) {
    classes.emplace_back(next, next + count);
    next += count;
  }
  return counts;
}

void describe_parameters(Fields& fields, std::string_view group, std::string_view meaning,
                         AdapterAndHead& part) {
  fields.within(group, meaning, [&] {
    describe_lora(fields, part.lora, false);
    describe_task_head(fields, "/head", part.head);
  });
}

}  // namespace

// Follows from the rest of a task's record. Not hashed.
void describe_statistics(Fields& fields, Modules& modules, bool& finite) {
  std::uint8_t is_finite = finite ? 1 : 0;
  fields.value("/stats@finite", is_finite,
               "1; numbers that are not finite are refused when written");
  finite = is_finite != 0;
  describe_column(fields, "/stats/modules", modules, &ModuleStatistics::module, "names");
  describe_shapes(fields, modules);
  describe_column(fields, "/stats/scale", modules, &ModuleStatistics::scale, "s");
  describe_column(fields, "/stats/norm_a", modules, &ModuleStatistics::norm_a,
                  "Frobenius norm of A");
  describe_column(fields, "/stats/norm_b", modules, &ModuleStatistics::norm_b, "of B");
  describe_column(fields, "/stats/norm_delta", modules, &ModuleStatistics::norm_delta, "of s B A");
  describe_column(fields, "/stats/fisher_mass", modules, &ModuleStatistics::fisher_sum,
                  "sum of the Fisher values, unscaled; 0 without a Fisher");
}

void describe_statistics(Fields& fields, std::optional<double>& norm_merged) {
  fields.value("/stats@norm_merged", norm_merged,
               "Frobenius norm of `/weights`, so that inspect need not read them; none for a "
               "frozen backbone");
}

void describe(Fields& fields, TaskRecord& r) {
  fields.value("/task@index", r.index, "from 0", {.least = 0, .length = "index"});
  fields.value("/task@name", r.name, "of the protocol");
  fields.value("/task@train_samples", r.train_samples, "that the task learned from");
  fields.value("/task@seed", r.seed, "of the run");
  fields.array("/task/classes", r.classes, {"c"}, "by output of the head: the protocol's labels");
  fields.value("/base@name", r.backbone_name, "backbone");
  fields.value("/base@sha256", r.backbone_sha256, "of its weights file");
  describe_settings(fields, r.pack_content_sha256, r.config);
  describe_lora(fields, r.lora, true);
  describe_task_head(fields, "/head", r.head);
  fields.optional("/fisher", r.fisher,
                  [&](FisherRecord& fisher) { describe_fisher(fields, fisher, r.lora); });
  describe_merge(fields, r.merge);
  describe_metrics(fields, r.metrics);
}

void describe(Fields& fields, StateRecord& r) {
  fields.value("/stream@tasks_done", r.tasks_done, "T, at least 1", {.least = 1, .length = "T"});
  fields.value("/base@sha256", r.backbone_sha256, "of the backbone's weights file");
  fields.value("/base@shape_sha256", r.backbone_shape_sha256,
               "of what the backbone's config.json says",
               {.since = "1.1.0", .may_be_missing = true});
  describe_settings(fields, r.pack_content_sha256, r.config);
  fields.value("/numerics", r.numerics,
               "what the bits depend on (library versions, instruction set, threads, lanes)",
               {.is_json = true});
  fields.matrices("/weights/<module>", r.layout, r.merged,
                  "theta_hat_T - theta_hat_0; none for a frozen backbone", {.may_be_missing = true},
                  ModuleArray::kWeights);
  if (fields.is_before("2.0.0")) {
    describe_memory_of_version_1(fields, r);
  } else {
    const std::vector<std::int64_t> class_counts = describe_classes(fields, r.classes);
    if (!fields.is_before("3.1.0"))
      fields.array("/class_scores", r.class_scores, {"C"},
                   "of sequences, how each class is scored: 0 exact match, 1 ROUGE-L, 2 choice; "
                   "without it all by exact match",
                   {.since = "3.1.0", .may_be_missing = true});
    fields.tensors("/memory/<name...>", r.memory, class_counts,
                   "what the parts of the run keep from task to task, below");
    fields.curvature_arrays("/memory/<name...>", r.layout);
  }
  describe_accuracy(fields, r);
}

void describe(Fields& fields, StepRecord& r) {
  TaskProgress& p = r.progress;
  fields.value("/step@task", p.task, "from 0", {.least = 0});
  fields.value("/step@steps_done", p.steps_done,
               "at least 1; equal to `steps` when only Fisher, merge and evaluation are left",
               {.least = 1});
  fields.value("/step@steps", p.steps, "of the task");
  fields.value("/step@updates", p.updates,
               "of the optimizer: steps done without those skipped (`nonfinite = skip`)",
               {.least = 0});
  fields.value("/step@loss_first_step", p.loss_first_step, "of the first step", {.unit = "nats"});
  fields.value("/step@loss_sum_last_pass", p.loss_sum_last_pass,
               "summed over the predictions of the last pass so far", {.unit = "nats"});
  fields.value("/step@samples_last_pass", p.predictions_last_pass,
               "those predictions: samples, or tokens of completions", {.least = 0});
  fields.value("/step@task_sha256", r.task_sha256,
               "of the task's name, classes, samples and targets");
  fields.value("/metrics/seconds@train", p.seconds, "training so far", {.unit = "s"});
  fields.value("/state@content_sha256", r.state_content_sha256,
               "of the state that the task began with; empty for the first task");
  fields.value("/base@sha256", r.backbone_sha256, "of the backbone's weights file");
  fields.value("/base@shape_sha256", r.backbone_shape_sha256,
               "of what the backbone's config.json says");
  describe_settings(fields, r.pack_content_sha256, r.config);
  fields.value("/numerics", r.numerics, "what the bits depend on", {.is_json = true});
  describe_parameters(fields, "/parameters", "", p.parameters);
  describe_parameters(fields, "/moments/first", "AdamW's first moment; ", p.first_moment);
  describe_parameters(fields, "/moments/second", "AdamW's second moment; ", p.second_moment);
}

void describe(Fields& fields, MergedRecord& r) {
  fields.value("/base@sha256", r.backbone_sha256,
               "of the base model's weights file; empty where adapters came without it");
  fields.value("/base@shape_sha256", r.backbone_shape_sha256,
               "of what the backbone's config.json says; empty where it isn't known");
  describe_settings(fields, r.pack_content_sha256, r.config);
  fields.value("/merge/rule", r.rule, "`name`, and the rule's keys that were given",
               {.is_json = true});
  fields.value("/merge/sources", r.sources,
               "`run` and its `tasks` (number from 1, content hash), or `adapters` (folder, "
               "SHA-256 of the file)",
               {.is_json = true});
  fields.value("/merge/post_hoc", r.post_hoc,
               "plain words: why this is not what training under the rule would have given; empty "
               "for the run's own rule over its first tasks");
  fields.array("/merge/tasks", r.task_names, {"T"},
               "names of the tasks merged, in order; of adapters, their folders'");
  fields.matrices("/weights/<module>", r.layout, r.weights, "theta_hat - theta_hat_0");
  fields.each_numbered(
      "/heads/<task>", "T", true,
      [&](Head& head, std::vector<std::string>& classes) {
        describe_task_head(fields, "/heads/<task>", head);
        fields.array("/heads/<task>/classes", classes, {"c"},
                     "`<task>` is decimal, from 0 to T - 1: the place in "
                     "`/merge/tasks`; no heads for adapters");
      },
      r.heads, r.classes);
}

void describe(Fields& fields, CurvatureRecord& r) {
  fields.value("/base@sha256", r.base_sha256,
               "of the base model's weights file; empty where it isn't known");
  fields.value(
      "/curvature@kind", r.kind,
      "what was measured, as `empirical-per-sample`; files of different kinds are not merged",
      {.least = 1});
  fields.value("/curvature@samples", r.samples, "of the mean, at least 1", {.least = 1});
  fields.value("/curvature@factor", r.factor,
               "what the values are multiplied by in a merge, so that adapters have a common "
               "scale; 1 for none",
               {.is_positive = true});
  fields.matrices("/curvature/<module>", r.layout, r.values,
                  "diagonal on Delta W, mean over samples", {.least = 0});
}

void describe(Fields& fields, PackContents& r) {
  fields.value("/@kind", r.kind, "`tokens`, `sequences`, `pixels` or `encoded`");
  fields.value("/@vocabulary", r.vocabulary,
               "of texts: size of the tokenizer's vocabulary; every id is below it",
               {.may_be_missing = true});
  fields.value("/@longest", r.longest, "of texts: most tokens of a sample",
               {.may_be_missing = true});
  fields.value("/@source", r.source, "how it was made", {.is_json = true});
  fields.array("/labels", r.labels, {{"n", r.samples}}, "index into `/classes`");
  fields.array("/bytes", r.bytes, {{"total", r.total}}, "all samples one after another");
  fields.array("/offsets", r.offsets, {"n + 1"}, "into `/bytes`; first 0, last total, increasing");
  fields.array("/shape", r.shape, {"n", {"d", r.dimensions}}, "the shape of each sample, as below");
  fields.array(
      "/completions", r.completions, {{"k", r.completion_count}, "2"},
      "sequences only: the tokens of its sample that are predicted, begin and end (without "
      "end) of each completion, sample after sample",
      {.may_be_missing = true});
  fields.array("/completion_offsets", r.completion_offsets, {"n + 1"},
               "sequences only: into `/completions`; first 0, last k, increasing",
               {.may_be_missing = true});
  fields.array("/crc32c", r.checksums, {"n"}, "CRC-32C of each sample's bytes");
  fields.array("/split", r.split, {"n"}, "0 training, 1 test");
  fields.array("/classes", r.classes, {"c"}, "every class once");
}

void describe(Fields& fields, TaskSummary& r) {
  describe(fields, r.record);
  describe_statistics(fields, r.modules, r.finite);
}

void describe(Fields& fields, StateSummary& r) {
  describe(fields, r.record);
  describe_statistics(fields, r.norm_merged);
}

}  // namespace palimpsest
