#include "palimpsest/report/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {
namespace {

constexpr int kIndent = 12;  // of what continues "  trained   "
constexpr const char* kBold = "1";
constexpr const char* kGreen = "32";
constexpr const char* kYellow = "33";

bool set_and_not_empty(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

std::optional<double> on_newest(const EvaluationRow& row) {
  return row.accuracy(row.samples.size() - 1);
}

// Columns; nullopt for what is no terminal, or doesn't know.
std::optional<int> terminal_width(std::FILE* out) {
  winsize size{};
  if (isatty(fileno(out)) != 1 || ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return std::nullopt;
  return std::clamp<int>(size.ws_col, 40, 120);
}

}  // namespace

TerminalSettings terminal_settings(std::FILE* out, const ProgressSettings& progress) {
  using enum TerminalSettings::Steps;
  using ShowAs = ProgressSettings::Kind;
  const bool terminal = isatty(fileno(out)) == 1;
  const char* const kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
  TerminalSettings settings;
  settings.log_every = progress.every;
  settings.colour = terminal && !dumb && !set_and_not_empty("NO_COLOR");
  const bool draws =
      progress.kind == ShowAs::kBar || (progress.kind == ShowAs::kAuto && terminal && !dumb);
  settings.steps = progress.kind == ShowAs::kNone ? kNone : draws ? kBar : kPlain;
  settings.width = terminal_width(out).value_or(settings.width);
  return settings;
}

TerminalReport::~TerminalReport() {
  if (bar_drawn_) std::fputc('\n', out_);
  std::fflush(out_);
}

std::string TerminalReport::painted(const std::string& text, const char* code) const {
  return settings_.colour ? concat("\x1b[", code, "m", text, "\x1b[0m") : text;
}

void TerminalReport::clear_bar() {
  if (bar_drawn_) std::fputs("\r\x1b[K", out_);
  bar_drawn_ = false;
}

void TerminalReport::print(const std::string& text) {
  clear_bar();
  std::fputs(text.c_str(), out_);
  std::fputc('\n', out_);
  std::fflush(out_);
}

void TerminalReport::on(const RunStarted& event) {
  tasks_ = event.tasks;
  print(concat(counted(event.tasks, "task"), " on ", counted(event.world_size, "rank"), ", ",
               counted(event.lanes, "lane"), ", ", event.device, ", into ", event.folder));
  print(concat(grouped(event.adapted_weights), " adapted weights, ",
               grouped(event.trained_parameters), " parameters trained per task; backbone ",
               short_hash(event.backbone_sha256), ", pack ",
               short_hash(event.pack_content_sha256)));
  if (event.resumed_after_task >= 0) {
    print(concat("resumed after task ", event.resumed_after_task + 1));
  }
  if (event.resumed_at_step > 0) {
    print(concat("resuming task ", event.resumed_after_task + 2, " after step ",
                 grouped(event.resumed_at_step)));
  }
}

void TerminalReport::on(const TaskStarted& event) {
  task_seconds_ = 0;
  task_samples_ = 0;
  task_steps_ = 0;
  merged_.reset();
  budget_.reset();
  before_merge_.clear();
  after_merge_.clear();
  last_drawn_ = {};
  const std::string title = concat("task ", event.task + 1, " of ", tasks_, ": ");
  print(concat("\n", painted(title, kBold),
               wrap(join(event.classes), settings_.width, 2, static_cast<int>(title.size()))));
  print(concat("  ", grouped(event.samples), " samples, ", grouped(event.steps), " steps"));
}

void TerminalReport::on(const StepDone& event) {
  task_seconds_ += event.seconds;
  task_samples_ += event.samples;
  ++task_steps_;
  const std::int64_t done = event.step + 1;
  const bool last = done == event.steps;
  const double left =
      task_seconds_ * static_cast<double>(event.steps - done) / static_cast<double>(task_steps_);
  const double rate = task_seconds_ > 0 ? static_cast<double>(task_samples_) / task_seconds_ : 0;
  const std::string total = std::to_string(event.steps);
  std::string step = std::to_string(done);
  step.insert(0, total.size() - std::min(total.size(), step.size()), ' ');
  const std::string numbers =
      concat(step, "/", total, "  loss ", fixed(event.loss, 4), "  ",
             fixed(rate, rate < 10 ? 1 : 0), " samples/s  ", duration(left), " left");
  if (settings_.steps == TerminalSettings::Steps::kBar) {
    const auto now = std::chrono::steady_clock::now();
    if (!last && now - last_drawn_ < std::chrono::milliseconds(100)) return;
    last_drawn_ = now;
    draw_bar(event, numbers);
  } else if (settings_.steps == TerminalSettings::Steps::kPlain &&
             (last || done % settings_.log_every == 0)) {
    print("  step " + numbers);
  }
}

void TerminalReport::draw_bar(const StepDone& event, const std::string& numbers) {
  settings_.width = terminal_width(out_).value_or(settings_.width);  // windows change
  const int room = settings_.width - static_cast<int>(numbers.size()) - 7;
  std::string line = "  ";
  if (room >= 8) {
    const std::int64_t cells = std::min(room, 40);
    const auto filled = static_cast<std::size_t>(cells * (event.step + 1) / event.steps);
    line += "[" + painted(std::string(filled, '='), kGreen) +
            std::string(static_cast<std::size_t>(cells) - filled, ' ') + "]  ";
  }
  line += numbers.substr(0, static_cast<std::size_t>(settings_.width - 3));
  std::fputs(("\r" + line + "\x1b[K").c_str(), out_);
  std::fflush(out_);
  bar_drawn_ = true;
}

void TerminalReport::on(const StepSkipped& event) {
  print(painted(concat("  step ", event.step + 1, event.in_refit ? " of the refit" : "",
                       " skipped: loss ", event.loss, ", gradient norm ", event.gradient_norm),
                kYellow));
}

void TerminalReport::on(const TaskTrained& event) {
  print(concat("  trained   loss ", fixed(event.loss_first_step, 3), " -> ",
               fixed(event.loss_last_pass, 3), " in ", duration(event.seconds)));
}

void TerminalReport::on(const Merged& event) { merged_ = event; }

void TerminalReport::on(const ErrorBudget& event) { budget_ = event; }

void TerminalReport::on(const Evaluated& event) {
  (event.after_merge ? after_merge_ : before_merge_).push_back(event);
}

std::string TerminalReport::change(std::size_t classifier) const {
  const auto shown = [&](const Evaluated& event) {
    return settings_.task_given ? given_task(event.row) : event.row;
  };
  const EvaluationRow after = shown(after_merge_[classifier]);
  const auto change = [&](std::optional<double> (*accuracy)(const EvaluationRow&)) {
    const bool has_before = classifier < before_merge_.size();
    return before_and_after(has_before ? accuracy(shown(before_merge_[classifier])) : std::nullopt,
                            accuracy(after)) +
           " %";
  };
  std::string text = concat(primary_title(after), " on this task ", change(on_newest));
  if (is_over_seen(after))
    text += concat(", on all so far ", painted(change(accuracy_over_seen), kBold));
  return text;
}

void TerminalReport::on(const Remark& event) {
  print(std::string(kIndent, ' ') +
        painted(wrap(event.text, settings_.width, kIndent, kIndent), kYellow));
}

void TerminalReport::on(const TaskLearned&) {
  const bool merges = merged_ && merged_->rule != "none";
  std::string line = merges ? "  merged    " : "  learned   ";
  if (merges) {
    line += concat("alpha ", painted(fixed(merged_->alpha, 3), kBold));
    if (const auto& range = merged_->alpha_range) {
      line += concat(" (", fixed(range->first, 3), " to ", fixed(range->second, 3), ")");
    }
    line += ", ";
  }
  if (!after_merge_.empty()) line += change(0);
  print(line);
  for (std::size_t i = 1; i < after_merge_.size(); ++i)
    print(concat(std::string(kIndent, ' '), after_merge_[i].classifier, ": ", change(i)));
  if (budget_ && budget_->rise_measured != 0) {
    const auto& predicted = budget_->rise_predicted;
    print(concat(std::string(kIndent, ' '), "the merge cost the task ",
                 fixed(budget_->rise_measured, 4), " nats of its training loss",
                 predicted ? concat("; its quadratic predicted ", fixed(*predicted, 4)) : ""));
  }
  if (merged_ && !merged_->remark.empty()) {
    const std::string remark = wrap(merged_->remark, settings_.width, kIndent, kIndent);
    print(std::string(kIndent, ' ') + painted(remark, kYellow));
  }
}

void TerminalReport::on(const RunFinished& event) {
  print(concat("\ndone in ", duration(event.seconds), "\n"));
}

}  // namespace palimpsest
