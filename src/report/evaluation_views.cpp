#include <algorithm>
#include <numeric>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

// Of a task, or (nullopt) of all together.
double mean_or_task_mean(const Score& score, std::optional<std::size_t> task) {
  return task ? mean(score, *task) : mean(score);
}

Json means_json(const EvaluationRow& row, std::optional<std::size_t> task) {
  Json json = Json::object();
  for (const Score* score : in_table_order(row))
    if (!task || score->weights[*task] > 0)
      json[std::string(score_info(score->name).key)] = mean_or_task_mean(*score, task);
  return json;
}

std::string title_text(const std::string& what, const EvaluationTitle& title) {
  return concat(what, title.weights, ", on the ", title.split, " samples of ", title.pack, "\n",
                remarks_text(title), "\n");
}

std::int64_t all_samples(const EvaluationRow& row) {
  return std::accumulate(row.samples.begin(), row.samples.end(), std::int64_t{0});
}

std::vector<std::string> cells(const std::vector<Score>& scores, std::optional<std::size_t> task) {
  std::vector<std::string> cells;
  for (const Score& score : scores) {
    const bool is_measured = !task || score.weights[*task] > 0;
    cells.push_back(is_measured ? mean_text(score, mean_or_task_mean(score, task), 4) : "-");
  }
  return cells;
}

std::vector<Score> in_sweeps(const EvaluationRow& row) {
  std::vector<Score> scores;
  for (const Score& score : row.scores)
    if (score_info(score.name).in_sweeps) scores.push_back(score);
  return scores;
}

void append(std::vector<std::string>& row, const std::vector<std::string>& cells) {
  row.insert(row.end(), cells.begin(), cells.end());
}

std::string evaluation_table(const EvaluationTitle& title, const EvaluationRow& row) {
  Rows rows = {{"task", "", "samples"}};
  for (const Score& score : row.scores) rows[0].emplace_back(score_info(score.name).column);
  for (std::size_t j = 0; j < row.samples.size(); ++j) {
    rows.push_back({std::to_string(j + 1), title.task_names[j], grouped(row.samples[j])});
    append(rows.back(), row.samples[j] > 0 ? cells(row.scores, j)
                                           : std::vector<std::string>(row.scores.size(), "-"));
  }
  rows.push_back({"all", "", grouped(all_samples(row))});
  append(rows.back(), cells(row.scores, std::nullopt));
  std::string alignment(rows[0].size(), 'r');
  alignment[1] = 'l';
  return text_table(rows, alignment);
}

// By task, and over all of them.
Json evaluation_json(const EvaluationTitle& title, const EvaluationRow& row) {
  Json json = {{"tasks", Json::array()}, {"all", means_json(row, std::nullopt)}};
  std::size_t place = 0;
  for (std::size_t j = 0; j < row.samples.size(); ++j) {
    Json task = {{"task", j}, {"name", title.task_names[j]}, {"samples", row.samples[j]}};
    if (row.samples[j] > 0) task.update(means_json(row, j));
    task["classes"] = Json::array();
    for (const std::string& name : title.classes[j]) {
      if (row.class_samples.empty()) break;
      task["classes"].push_back({{"class", name},
                                 {"samples", row.class_samples[place]},
                                 {"correct", row.class_correct[place]}});
      ++place;
    }
    json["tasks"].push_back(std::move(task));
  }
  json["all"]["samples"] = all_samples(row);
  json["all"]["task_mean"] = row.task_mean();
  return json;
}

}  // namespace

View evaluation_view(const EvaluationTitle& title, std::span<const EvaluationRow> rows) {
  const bool has_others = rows.size() > 1;
  std::string text = title_text("", title);
  Json json = title_json("evaluation", title);
  json["classifier"] = title.classifiers.at(0);
  json.update(evaluation_json(title, rows[0]));
  json["others"] = Json::array();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (has_others) text += concat(i == 0 ? "" : "\n", "by ", title.classifiers[i], "\n");
    text += evaluation_table(title, rows[i]);
    if (i == 0) continue;
    json["others"].push_back({{"classifier", title.classifiers[i]}});
    json["others"].back().update(evaluation_json(title, rows[i]));
  }
  return {concat(text, "\n", meanings(rows[0].scores)), dump(json)};
}

View sweep_view(const EvaluationTitle& title, const Sweep& sweep) {
  const std::vector<Score> shown = in_sweeps(sweep.points.at(0).row);
  Rows rows = {{"alpha"}};
  for (const char* which : {"all tasks in %", "new task in %"}) {
    for (const Score& score : shown)
      rows[0].emplace_back(&score == &shown.front() ? which : score_info(score.name).column);
  }
  rows[0].emplace_back("");
  Json json = title_json("sweep", title);
  json.update({{"task", sweep.task},
               {"own_alpha", sweep.own ? Json(sweep.points[*sweep.own].alpha) : Json()},
               {"own_alpha_unclamped", number_or_null(sweep.own_unclamped)},
               {"best_alpha", sweep.points[sweep.best].alpha},
               {"points", Json::array()}});
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    const std::vector<Score> scores = in_sweeps(point.row);
    const bool best = i == sweep.best, own = sweep.own == i;
    const bool tested = point.row.samples[sweep.task] > 0;
    rows.push_back({fixed(point.alpha, 4)});
    append(rows.back(), cells(scores, std::nullopt));
    append(rows.back(),
           tested ? cells(scores, sweep.task) : std::vector<std::string>(scores.size(), "-"));
    rows.back().push_back(concat(own ? "<- the run's own" : "", own && best ? ", " : "",
                                 best ? (own ? "best" : "<- best") : ""));
    json["points"].push_back({{"alpha", point.alpha},
                              {"all", means_json(point.row, std::nullopt)},
                              {"new_task", tested ? means_json(point.row, sweep.task) : Json()}});
  }
  std::string alignment(rows[0].size(), 'r');
  alignment.back() = 'l';
  std::string text = concat(
      title_text(concat("the merge of task ", sweep.task + 1, " along its line, in "), title),
      text_table(rows, alignment));
  if (sweep.own_unclamped && sweep.own) {
    text += concat("the closed form gave ", fixed(*sweep.own_unclamped, 4), " before the clamp\n");
  }
  if (!sweep.remark.empty()) text += wrap(sweep.remark, kWidth, 0, 0) + "\n";
  return {std::move(text), dump(json)};
}

namespace {

// What the scenario goes by.
const Score& main_score(const EvaluationTitle& title, const EvaluationRow& row) {
  const Score* const given = title.is_task_given ? row.find("correct_given_task") : nullptr;
  return given != nullptr ? *given : row.scores.front();
}

// Alpha and score of each task, in groups of columns that fit a line.
std::string rules_by_task(const EvaluationTitle& title, std::span<const RuleEvaluation> rules) {
  constexpr std::size_t kRulesInALine = 4;
  std::vector<std::size_t> possible;
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (rules[i].reason.empty()) possible.push_back(i);
  std::string text;
  for (std::size_t first = 0; first < possible.size(); first += kRulesInALine) {
    const auto shown =
        std::span(possible).subspan(first, std::min(kRulesInALine, possible.size() - first));
    Rows rows = {{"task", ""}};
    for (const std::size_t i : shown)
      append(rows[0],
             {concat(i + 1, ": alpha"),
              concat(i + 1, ": ", score_info(main_score(title, rules[i].row).name).column)});
    for (std::size_t task = 0; task < title.task_names.size(); ++task) {
      rows.push_back({std::to_string(task + 1), title.task_names[task]});
      for (const std::size_t i : shown) {
        const bool is_merged = task < rules[i].alphas.size();
        append(rows.back(), {is_merged ? fixed(rules[i].alphas[task], 4) : "-",
                             rules[i].row.samples[task] > 0
                                 ? cells({main_score(title, rules[i].row)}, task).front()
                                 : "-"});
      }
    }
    std::string alignment(rows[0].size(), 'r');
    alignment[1] = 'l';
    text += concat("\n", text_table(rows, alignment));
  }
  return text;
}

}  // namespace

View rules_view(const EvaluationTitle& title, std::span<const RuleEvaluation> rules) {
  const std::vector<Score>& scores = rules.front().row.scores;
  Rows rows = {{"", "rule"}};
  for (const Score& score : scores) rows[0].emplace_back(score_info(score.name).column);
  std::string reasons;
  Json json = title_json("rules", title);
  json["rules"] = Json::array();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const RuleEvaluation& rule = rules[i];
    Json& item = json["rules"].emplace_back(Json{{"rule", rule.rule}, {"is_own", rule.is_own}});
    rows.push_back(
        {std::to_string(i + 1), concat(rule.rule, rule.is_own ? " (the run's own)" : "")});
    if (!rule.reason.empty()) {
      item["reason"] = rule.reason;
      append(rows.back(), std::vector<std::string>(scores.size(), "-"));
      reasons += wrap(concat(rule.rule, ": ", rule.reason), kWidth, 0, 0) + "\n";
      continue;
    }
    append(rows.back(), cells(rule.row.scores, std::nullopt));
    item["alphas"] = Json::array();
    for (const std::optional<double>& alpha : rule.alphas)
      item["alphas"].push_back(number_or_null(alpha));
    item.update(evaluation_json(title, rule.row));
  }
  std::string alignment(rows[0].size(), 'r');
  alignment[1] = 'l';
  const std::string post_hoc = wrap(
      "Post hoc, except for the first: later tasks were trained on the run's own merges. To rank "
      "rules, train with each.",
      kWidth, 0, 0);
  return {concat(title_text("the tasks merged by several rules, ", title),
                 text_table(rows, alignment), rules_by_task(title, rules), "\n", reasons,
                 meanings(scores), rules.size() > 1 ? post_hoc + "\n" : ""),
          dump(json)};
}

std::string sweep_csv(const Sweep& sweep) {
  const auto exact = [](double value) { return Json(value).dump(); };
  std::string text = "alpha";
  for (const char* prefix : {",", ",new_"}) {
    for (const Score& score : in_sweeps(sweep.points.at(0).row))
      text += concat(prefix, score_info(score.name).key);
  }
  text += ",own,best\n";
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    const std::vector<Score> scores = in_sweeps(point.row);
    const bool tested = point.row.samples[sweep.task] > 0;
    text += exact(point.alpha);
    for (const Score& score : scores) text += "," + exact(mean(score));
    for (const Score& score : scores) text += "," + (tested ? exact(mean(score, sweep.task)) : "");
    text += concat(",", sweep.own == i ? 1 : 0, ",", i == sweep.best ? 1 : 0, "\n");
  }
  return text;
}

}  // namespace palimpsest
