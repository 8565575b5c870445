#include "palimpsest/report/evaluation_views.h"

#include "palimpsest/core/text.h"
#include "palimpsest/metrics/stream_metrics.h"
#include "palimpsest/report/readable.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

Json metrics_json(const RowMetrics& metrics) {
  return {{"accuracy", metrics.accuracy},
          {"accuracy_given_task", metrics.given_task},
          {"task_identity", number_or_null(metrics.task_identity)},
          {"top5", number_or_null(metrics.top5)},
          {"loss_given_task", number_or_null(metrics.loss_given_task)}};
}

Json title_json(const char* type, const EvaluationTitle& title) {
  return {{"type", type},
          {"weights", title.weights},
          {"pack", title.pack},
          {"split", title.split},
          {"remarks", title.remarks}};
}

std::string title_text(const std::string& what, const EvaluationTitle& title) {
  std::string text =
      concat(what, title.weights, ", on the ", title.split, " samples of ", title.pack, "\n");
  for (const std::string& remark : title.remarks) text += "  " + wrap(remark, kWidth, 2, 2) + "\n";
  return text + "\n";
}

std::vector<std::string> cells(const RowMetrics& metrics) {
  return {percent_or_dash(metrics.accuracy), percent_or_dash(metrics.given_task),
          percent_or_dash(metrics.top5), percent_or_dash(metrics.task_identity),
          metrics.loss_given_task ? fixed(*metrics.loss_given_task, 4) : "-"};
}

}  // namespace

View view_of_evaluation(const EvaluationTitle& title, const EvaluationRow& row) {
  Rows rows = {
      {"task", "", "samples", "accuracy in %", "given the task", "among five", "its task", "loss"}};
  Json json = title_json("evaluation", title);
  json["tasks"] = Json::array();
  std::int64_t all = 0;
  std::size_t place = 0;
  for (std::size_t j = 0; j < row.samples.size(); ++j) {
    all += row.samples[j];
    const RowMetrics metrics = task_metrics(row, j);
    const bool tested = row.samples[j] > 0;
    rows.push_back({std::to_string(j + 1), title.task_names[j], grouped(row.samples[j])});
    for (std::string& cell : tested ? cells(metrics) : std::vector<std::string>(5, "-"))
      rows.back().push_back(std::move(cell));
    Json task = {{"task", j}, {"name", title.task_names[j]}, {"samples", row.samples[j]}};
    if (tested) task.update(metrics_json(metrics));
    task["classes"] = Json::array();
    for (const std::string& name : title.classes[j]) {
      task["classes"].push_back({{"class", name},
                                 {"samples", row.class_samples[place]},
                                 {"correct", row.class_correct[place]}});
      ++place;
    }
    json["tasks"].push_back(std::move(task));
  }
  rows.push_back({"all", "", grouped(all)});
  for (std::string& cell : cells(row_metrics(row))) rows.back().push_back(std::move(cell));
  json["all"] = metrics_json(row_metrics(row));
  json["all"]["samples"] = all;
  json["all"]["task_mean"] = row.task_mean();
  return {concat(title_text("", title), text_table(rows, "rlrrrrrr"),
                 "\naccuracy: among all classes seen; given the task: among its own; among five: "
                 "the class is among the\nfive likeliest; its task: the class chosen is one of the "
                 "right task; loss: given the task, in nats\n"),
          dump(json)};
}

View view_of_sweep(const EvaluationTitle& title, const Sweep& sweep) {
  Rows rows = {{"alpha", "all tasks in %", "given the task", "loss", "new task in %",
                "given the task", "loss", ""}};
  Json json = title_json("sweep", title);
  json.update({{"task", sweep.task},
               {"own_alpha", sweep.own ? Json(sweep.points[*sweep.own].alpha) : Json()},
               {"own_alpha_unclamped", number_or_null(sweep.own_unclamped)},
               {"best_alpha", sweep.points[sweep.best].alpha},
               {"points", Json::array()}});
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    const RowMetrics all = row_metrics(point.row), newest = task_metrics(point.row, sweep.task);
    const bool best = i == sweep.best, own = sweep.own == i;
    const bool tested = point.row.samples[sweep.task] > 0;
    rows.push_back({fixed(point.alpha, 4), percent_or_dash(all.accuracy),
                    percent_or_dash(all.given_task), fixed(all.loss_given_task.value_or(0), 4),
                    tested ? percent_or_dash(newest.accuracy) : "-",
                    tested ? percent_or_dash(newest.given_task) : "-",
                    tested ? fixed(newest.loss_given_task.value_or(0), 4) : "-",
                    concat(own ? "<- the run's own" : "", own && best ? ", " : "",
                           best ? (own ? "best" : "<- best") : "")});
    json["points"].push_back({{"alpha", point.alpha},
                              {"all", metrics_json(all)},
                              {"new_task", tested ? metrics_json(newest) : Json()}});
  }
  std::string text = concat(
      title_text(concat("the merge of task ", sweep.task + 1, " along its line, in "), title),
      text_table(rows, "rrrrrrrl"));
  if (sweep.own_unclamped && sweep.own) {
    text += concat("the closed form gave ", fixed(*sweep.own_unclamped, 4), " before the clamp\n");
  }
  if (!sweep.remark.empty()) text += wrap(sweep.remark, kWidth, 0, 0) + "\n";
  return {std::move(text), dump(json)};
}

std::string csv_of_sweep(const Sweep& sweep) {
  std::string text =
      "alpha,accuracy,accuracy_given_task,loss_given_task,new_accuracy,new_accuracy_given_task,"
      "new_loss_given_task,own,best\n";
  for (std::size_t i = 0; i < sweep.points.size(); ++i) {
    const SweepPoint& point = sweep.points[i];
    const RowMetrics all = row_metrics(point.row), newest = task_metrics(point.row, sweep.task);
    const auto exact = [](const std::optional<double>& value) { return Json(*value).dump(); };
    const std::string of_newest =
        point.row.samples[sweep.task] == 0
            ? ",,"
            : concat(exact(newest.accuracy), ",", exact(newest.given_task), ",",
                     exact(newest.loss_given_task));
    text += concat(exact(point.alpha), ",", exact(all.accuracy), ",", exact(all.given_task), ",",
                   exact(all.loss_given_task), ",", of_newest, ",", sweep.own == i ? 1 : 0, ",",
                   i == sweep.best ? 1 : 0, "\n");
  }
  return text;
}

}  // namespace palimpsest
