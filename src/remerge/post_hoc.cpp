#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/kinds/kind_settings.h"
#include "palimpsest/kinds/old_settings.h"
#include "recorded_run.h"

namespace palimpsest {
namespace {

nlohmann::json recorded(const RecordedRun& run, const char* key) {
  const auto config =
      nlohmann::json::parse(with_todays_settings(run.tasks.back().record.config), nullptr,
                            /*allow_exceptions=*/false);
  return config.is_object() ? config.value(key, nlohmann::json()) : nlohmann::json();
}

// Whether the run's own classifier fitted heads after the merges: its keys refit, align and
// normalise.
bool fitted_heads(const RecordedRun& run, const char* key) {
  const nlohmann::json classifier = recorded(run, "classifier");
  const std::string value =
      classifier.is_string() ? key_in(kinds_in(classifier.get<std::string>()).front(), key) : "";
  return !value.empty() && value != "0" && value != "none" && value != "false";
}

std::string tasks_text(const std::vector<std::int64_t>& tasks) {
  return concat(tasks.size() == 1 ? "task " : "tasks ", join_task_numbers(tasks));
}

// Whether tasks were trained as the rule wants it, whatever the run merged meanwhile.
std::string of_another_rule(const Choice& choice, const RecordedRun& run, const MergeRule& rule) {
  const std::string text = concat("the run was merged by ", recorded_rules(run, choice.last()),
                                  ", and this is ", rule.settings().text(), ": ");
  switch (rule.needs().start) {
    case Origin::kPretrained:
      return text + "every task was trained from the pretrained model, as this rule expects";
    case Origin::kLast:
      return text + "every task was trained on the unmerged model before, as this rule expects";
    case Origin::kMerged:
      break;
  }
  return text +
         "each task after the first was trained on top of the run's own merges, not of these";
}

}  // namespace

std::string recorded_rules(const RecordedRun& run, std::int64_t last) {
  std::string text, newest;
  for (std::int64_t t = 0; t <= last; ++t) {
    const std::string rule = run.tasks[static_cast<std::size_t>(t)].rule->settings().text();
    if (rule == newest) continue;
    text += concat(text.empty() ? "" : ", then ", rule);
    newest = rule;
  }
  return text;
}

bool has_one_head(const RecordedRun& run) {
  const nlohmann::json scenario = recorded(run, "scenario");
  return scenario.is_string() && shares_head(scenario.get<std::string>());
}

std::string join_task_numbers(const std::vector<std::int64_t>& tasks) {
  return in_words(tasks, "and", [](std::int64_t task) { return task + 1; });
}

std::string post_hoc_reason(const Choice& choice, const RecordedRun& run, const MergeRule& rule) {
  std::vector<std::string> reasons;
  if (!choice.is_own_rule && choice.last() > 0) {
    reasons.push_back(of_another_rule(choice, run, rule));
  }
  std::vector<std::int64_t> left_out, later;
  for (std::int64_t t = 0; t < choice.last(); ++t) {
    if (!choice.has(t)) left_out.push_back(t);
  }
  for (const std::int64_t t : choice.tasks) {
    if (!left_out.empty() && t > left_out.front()) later.push_back(t);
  }
  const bool is_apart = std::ranges::all_of(
      later, [&](std::int64_t t) { return run.starts_from(t, Origin::kPretrained); });
  if (!left_out.empty() && !is_apart) {
    reasons.push_back(
        concat(tasks_text(left_out),
               choice.removed ? (left_out.size() == 1 ? " was removed" : " were removed")
                              : (left_out.size() == 1 ? " is left out" : " are left out"),
               ", but ", tasks_text(later), later.size() == 1 ? " was" : " were",
               " trained on models that had seen ", left_out.size() == 1 ? "it" : "them",
               ": what later training took from there stays"));
  }
  if (!left_out.empty() && has_one_head(run)) {
    reasons.push_back(
        concat("the head that all tasks share was trained on ", tasks_text(left_out), ", too"));
  }
  const bool is_last = choice.last() + 1 == std::ssize(run.tasks);
  if (reasons.empty() && !is_last && fitted_heads(run, "align"))
    return "the heads are as they were aligned over all of the run's tasks";
  if (reasons.empty()) return "";
  const auto fitted = [&](const char* key) { return fitted_heads(run, key); };
  if (std::ranges::any_of(std::array{"refit", "align", "normalise"}, fitted)) {
    reasons.push_back("the heads were fitted to the run's own merged models");
  }
  std::string text = "post hoc: ";
  for (std::size_t i = 0; i < reasons.size(); ++i) text += (i == 0 ? "" : "; ") + reasons[i];
  return text;
}

std::string post_hoc_reason_of_adapters() {
  return "post hoc: every adapter was trained from the pretrained base alone, none on top of a "
         "merge";
}

}  // namespace palimpsest
