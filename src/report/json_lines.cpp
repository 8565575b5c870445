#include "palimpsest/report/json_lines.h"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "view_parts.h"

namespace palimpsest {
namespace {

std::string event_line(const char* event, const Json& fields) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  Json line = {{"event", event}, {"time", static_cast<double>(milliseconds) / 1000}};
  line.update(fields);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

void JsonLinesReport::on(const RunStarted& event) {
  write(event_line("run_started", Json::object({{"folder", event.folder},
                                                {"tasks", event.tasks},
                                                {"world_size", event.world_size},
                                                {"lanes", event.lanes},
                                                {"device", event.device},
                                                {"pack_content_sha256", event.pack_content_sha256},
                                                {"backbone_sha256", event.backbone_sha256},
                                                {"adapted_weights", event.adapted_weights},
                                                {"trained_parameters", event.trained_parameters},
                                                {"resumed_after_task", event.resumed_after_task},
                                                {"resumed_at_step", event.resumed_at_step}})));
}

void JsonLinesReport::on(const TaskStarted& event) {
  write(event_line("task_started", Json::object({{"task", event.task},
                                                 {"classes", event.classes},
                                                 {"samples", event.samples},
                                                 {"steps", event.steps}})));
}

void JsonLinesReport::on(const StepDone& event) {
  write(event_line("step", Json::object({{"task", event.task},
                                         {"step", event.step},
                                         {"loss", event.loss},
                                         {"gradient_norm", event.gradient_norm},
                                         {"scale", event.scale},
                                         {"learning_rate", event.learning_rate},
                                         {"samples", event.samples},
                                         {"seconds", event.seconds}})),
        /*at_once=*/false);
}

void JsonLinesReport::on(const StepSkipped& event) {
  const auto number = [](double value) {  // JSON has no word for what is not finite
    return std::isfinite(value) ? Json(value) : Json(std::to_string(value));
  };
  write(event_line("step_skipped", Json::object({{"task", event.task},
                                                 {"step", event.step},
                                                 {"in_refit", event.in_refit},
                                                 {"loss", number(event.loss)},
                                                 {"gradient_norm", number(event.gradient_norm)},
                                                 {"samples", event.samples}})));
}

void JsonLinesReport::on(const TaskTrained& event) {
  write(event_line("task_trained", Json::object({{"task", event.task},
                                                 {"loss_first_step", event.loss_first_step},
                                                 {"loss_last_pass", event.loss_last_pass},
                                                 {"seconds", event.seconds}})));
}

void JsonLinesReport::on(const Merged& event) {
  write(event_line("merged",
                   Json::object({{"task", event.task},
                                 {"rule", event.rule},
                                 {"alpha", event.alpha},
                                 {"alpha_range", number_or_null(event.alpha_range)},
                                 {"alpha_unclamped", number_or_null(event.alpha_unclamped)},
                                 {"numerator", number_or_null(event.numerator)},
                                 {"denominator", number_or_null(event.denominator)},
                                 {"fisher_factor", number_or_null(event.fisher_factor)},
                                 {"fisher_mass_task", number_or_null(event.fisher_mass_task)},
                                 {"fisher_mass_before", number_or_null(event.fisher_mass_before)},
                                 {"remark", event.remark}})));
}

void JsonLinesReport::on(const ErrorBudget& event) {
  write(event_line("error_budget",
                   Json::object({{"task", event.task},
                                 {"rise_predicted", number_or_null(event.rise_predicted)},
                                 {"rise_measured", event.rise_measured}})));
}

void JsonLinesReport::on(const Evaluated& event) {
  Json fields = {{"task", event.task},
                 {"classifier", event.classifier},
                 {"is_own", event.is_own},
                 {"after_merge", event.after_merge}};
  fields.update(row_json(event.row));
  fields["seconds"] = event.seconds;
  write(event_line("evaluated", fields));
}

void JsonLinesReport::on(const Remark& event) {
  write(event_line("remark", Json::object({{"task", event.task}, {"text", event.text}})));
}

void JsonLinesReport::on(const TaskSaved& event) {
  write(event_line(
      "task_saved",
      Json::object({{"task", event.task}, {"file", event.file}, {"seconds", event.seconds}})));
}

void JsonLinesReport::on(const CheckpointTaken& event) {
  write(event_line("checkpoint",
                   Json::object({{"task", event.task}, {"steps_done", event.steps_done}})));
}

void JsonLinesReport::on(const RunFinished& event) {
  write(event_line("run_finished", Json::object({{"seconds", event.seconds}})));
}

}  // namespace palimpsest
