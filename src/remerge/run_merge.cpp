#include "palimpsest/remerge/run_merge.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/records.h"
#include "palimpsest/remerge/merge_record.h"
#include "recorded_run.h"

namespace palimpsest {
namespace {

// The run's tasks merged again, beside the run's own merges, from which the end points follow.
class RunMerge {
 public:
  RunMerge(const RunRequest& request, RecordedRun run)
      : request_(request), run_(std::move(run)), choice_(choose_tasks(request, run_)) {
    if (!request.rule.empty()) {
      rule_ = make_merge_rule(request.rule);
      check_offered(*rule_, offered());
    }
    follows_ = choice_.is_own_rule;
    const auto replayed = std::span(run_.tasks).first(static_cast<std::size_t>(choice_.last()));
    own_needs_rule_ = !std::ranges::all_of(
        replayed, [](const RecordedTask& task) { return task.rule->coefficients_suffice(); });
    const bool run_needs_fisher =
        std::ranges::any_of(std::span(run_.tasks).first(replayed.size() + 1),
                            [](const RecordedTask& task) { return task.rule->needs().fisher; });
    mine_keeps_memory_ = follows_ ? run_needs_fisher : rule_->needs().fisher;
    own_keeps_memory_ = own_needs_rule_ && run_needs_fisher;
  }

  RemergeResult merge() {
    read_ahead(
        static_cast<std::size_t>(choice_.last()) + 1,
        [&](std::size_t t) { return read(static_cast<std::int64_t>(t)); },
        [&](std::size_t t, const TaskRecord& record) {
          take(static_cast<std::int64_t>(t), record);
        });
    MergedRecord& made = result_.record;
    made.layout = mine_->layout();
    made.weights = mine_->merged();
    const RecordedTask& last = run_.tasks[static_cast<std::size_t>(choice_.last())];
    result_.rule = recorded_rule(choice_.last()).settings().text();
    result_.own_rule = recorded_rules(run_, choice_.last());
    made.rule = rule_json(recorded_rule(choice_.last()));
    made.sources = sources();
    made.post_hoc = post_hoc_reason(choice_, run_, recorded_rule(choice_.last()));
    made.backbone_sha256 = last.record.backbone_sha256;
    made.pack_content_sha256 = last.record.pack_content_sha256;
    made.config = last.record.config;
    if (choice_.removed) say_what_was_removed(*choice_.removed);
    for (const std::int64_t t : choice_.tasks) {
      made.task_names.push_back(run_.tasks[static_cast<std::size_t>(t)].record.name);
    }
    return std::move(result_);
  }

 private:
  const MergeRule& recorded_rule(std::int64_t t) const {
    return rule_ ? *rule_ : *run_.tasks[static_cast<std::size_t>(t)].rule;
  }

  // Which of the new rule's inputs the records have.
  MergeNeeds offered() const {
    const MergeNeeds needs = rule_->needs();
    MergeNeeds offered{.fisher = true, .factors = true, .memory = needs.memory};
    if (std::ranges::all_of(choice_.tasks,
                            [&](std::int64_t t) { return run_.starts_from(t, needs.start); })) {
      offered.start = needs.start;
    }
    offered.vectors = needs.vectors;
    return offered;
  }

  TaskRecord read(std::int64_t t) const {
    const bool is_taken = choice_.has(t) || t == choice_.removed;
    const TaskParts parts{
        .lora = true,
        .fisher = (is_taken && mine_keeps_memory_) || (t < choice_.last() && own_keeps_memory_)};
    return read_task_parts(run_.folder.task_file(t), parts);
  }

  void begin(const TaskRecord& record) {
    const AdaptedLayout layout = adapter_layout(record.lora);
    if (layout.size() == 0) {
      throw UsageError(concat(request_.run.string(), " has nothing to merge: its backbone was ",
                              "frozen (--adapter none)"));
    }
    mine_.emplace(recorded_rule(0), layout, mine_keeps_memory_, request_.threads);
    if (follows_) return;
    own_merged_.resize(static_cast<std::size_t>(layout.size()));
    if (own_needs_rule_)
      own_.emplace(*run_.tasks.front().rule, layout, own_keeps_memory_, request_.threads);
  }

  void take(std::int64_t t, const TaskRecord& record) {
    if (!mine_) begin(record);
    const std::vector<float>& base = follows_ ? mine_->merged() : own_merged_;
    const std::vector<float> task_vector =
        make_task_vector(record.lora, mine_->layout(), request_.threads);
    const std::vector<float> weights = merge_by_coefficients(mine_->layout(), std::array{1.0}, base,
                                                             task_vector, request_.threads);
    const EndPoint point{
        .name = concat("task ", t + 1),
        .base = base,
        .task_vector = record.lora.empty() ? std::span<const float>() : task_vector,
        .weights = weights,
        .lora = &record.lora,
        .fisher = record.fisher ? &*record.fisher : nullptr};
    if (follows_ && choice_.has(t)) {
      merge_again(t, point);
      check_hash(t, record, result_.tasks.back().record.weights_after);
      return;
    }
    if (follows_) leave_the_run(t, point);
    if (choice_.has(t)) merge_again(t, point);
    if (t < choice_.last()) merge_as_recorded(t, record, point);
  }

  void merge_again(std::int64_t t, const EndPoint& point) {
    if (!rule_) mine_->use(recorded_rule(t));
    result_.tasks.push_back(mine_->take(point, t == choice_.last()));
    result_.tasks.back().index = t;
    if (request_.on_merged) request_.on_merged(mine_->merged());
  }

  // The first task that isn't merged: after it the run's own merges don't apply.
  void leave_the_run(std::int64_t t, const EndPoint& point) {
    follows_ = false;
    own_merged_ = mine_->merged();
    if (own_needs_rule_) own_ = mine_;
    if (t != choice_.removed) return;
    mine_->use(recorded_rule(t));
    mine_->take(point, false);
    mine_->forget(point, own_merged_);
  }

  // theta_hat_t of the run.
  void merge_as_recorded(std::int64_t t, const TaskRecord& record, EndPoint point) {
    point.base = own_merged_;
    if (own_) {
      own_->use(*run_.tasks[static_cast<std::size_t>(t)].rule);
      own_->take(point, true);
      own_merged_ = own_->merged();
    } else if (!point.task_vector.empty()) {
      own_merged_ = merge_by_coefficients(mine_->layout(), record.merge.coefficients, own_merged_,
                                          point.task_vector, request_.threads);
    }
    check_hash(t, record, weights_hash(own_merged_));
  }

  void check_hash(std::int64_t t, const TaskRecord& record, const std::string& found) {
    ++result_.verified;
    if (found == record.merge.weights_after) return;
    throw InputError(concat(
        run_.folder.task_file(t).string(), ": task ", t + 1, ", merged again by ",
        run_.tasks[static_cast<std::size_t>(t)].rule->settings().text(), ": expected theta_hat ",
        "with the recorded hash ", record.merge.weights_after, ", found ", found,
        ". A number of this record or of one before is damaged (palimpsest verify names it), or ",
        "the run's program computed otherwise"));
  }

  void say_what_was_removed(std::int64_t t) {
    std::string text = concat("task ", t + 1, " was removed: ");
    if (!has_one_head(run_)) {
      text += "its head is dropped";
    } else if (t > choice_.last()) {
      text += concat("the head that all tasks share is again that of task ", choice_.last() + 1);
    } else {
      text += "the head that all tasks share stays, with what it learned there";
    }
    if (t > choice_.last()) {
      text += "; it was the last task, so that no other was trained having seen it";
    } else if (choice_.is_own_rule && mine_keeps_memory_ &&
               run_.tasks[static_cast<std::size_t>(t)].record.fisher) {
      text += ", and its F and F theta* were subtracted from the memory";
    }
    result_.remarks.push_back(text);
  }

  std::string sources() const {
    nlohmann::ordered_json tasks = nlohmann::json::array();
    for (const std::int64_t t : choice_.tasks) {
      tasks.push_back({{"task", t + 1}, {"content_sha256", run_.content_sha256(t)}});
    }
    return nlohmann::ordered_json({{"run", request_.run.string()}, {"tasks", tasks}}).dump();
  }

  const RunRequest& request_;
  RecordedRun run_;
  Choice choice_;
  std::unique_ptr<MergeRule> rule_;  // null: each task's own
  bool follows_ = false;             // whether the new merge is the run's own so far
  bool own_needs_rule_ = false;  // recorded coefficients aren't enough to repeat the run's merges
  bool own_keeps_memory_ = false, mine_keeps_memory_ = false;  // a rule there needs S0 and S1
  std::optional<Remerge> mine_, own_;
  std::vector<float> own_merged_;
  RemergeResult result_;
};

}  // namespace

RemergeResult remerge_run(const RunRequest& request) {
  return RunMerge(request, open_recorded_run(request.run)).merge();
}

void add_heads(RemergeResult& result, const RunRequest& request) {
  const RecordedRun run = open_recorded_run(request.run);
  const std::filesystem::path path =
      run.folder.state_file(static_cast<std::int64_t>(run.tasks.size()) - 1);
  const std::string& classifier = run.tasks.back().record.metrics.classifier;
  const StateRecord state = read_state_heads(path, classifier);
  std::vector<Head> heads = answering_heads(state.memory, classifier);
  if (heads.empty()) heads.resize(run.tasks.size());  // the backbone's output layer answers
  if (heads.size() != run.tasks.size()) {
    throw InputError(concat(path.string(), ": expected heads of ", run.tasks.size(),
                            " tasks, found ", heads.size()));
  }
  if (!answers_by_heads(state.memory, classifier)) {
    result.remarks.push_back(concat("the run answers by the classifier ", classifier,
                                    ", which the file lacks: it has the heads that training made"));
  } else if (lack_norms(state.memory, classifier)) {
    result.remarks.push_back("the logits of its heads are not divided by their norms");
  }
  for (const MergedTask& task : result.tasks) {
    const auto t = static_cast<std::size_t>(task.index);
    result.record.heads.push_back(heads[t]);
    result.record.classes.push_back(state.classes[t]);
  }
  result.record.backbone_shape_sha256 = state.backbone_shape_sha256;
}

}  // namespace palimpsest
