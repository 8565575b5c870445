#include "palimpsest/report/run_page.h"

#include <cstdio>
#include <exception>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/scores.h"
#include "reported_run.h"
#include "sections.h"

namespace palimpsest {
namespace {

std::string html_page(const ReportedRun& run, const KnownSettings& known) {
  const std::size_t tasks = run.tasks.size();
  std::size_t classes = 0;
  for (const TaskSummary& task : run.tasks) classes += task.record.classes.size();
  const std::string what =
      tasks == 0 ? "No task is finished yet."
                 : concat(tasks, tasks == 1 ? " task" : " tasks", " done, ", classes,
                          " classes, backbone ", run.tasks.back().record.backbone_name);
  Html body = element("h1", {}, escaped(run.name())) +
              element("p", {{"class", "quiet"}}, escaped(what)) + Html::markup("\n");
  if (tasks > 0) {
    body += results_section(run) + merges_section(run) + losses_section(run) +
            training_section(run) + published_section(run);
  }
  return page(concat(run.name(), ": Palimpsest"),
              body + settings_section(run, known) + provenance_section(run))
      .str();
}

void add_lines(const ReportedRun& run, const std::string& classifier,
               const AccuracyMatrix& accuracy, std::string& csv) {
  for (std::size_t t = 0; t < run.tasks.size(); ++t) {
    const EvaluationRow& before = accuracy.row_before_merge(t);
    const EvaluationRow& after = accuracy.row(t);
    for (std::size_t j = 0; j <= t; ++j) {
      if (after.samples[j] == 0) continue;  // not tested
      const auto count = [&](const Score* score) {
        return score == nullptr ? "" : std::to_string(static_cast<std::int64_t>(score->sums[j]));
      };
      csv += concat(t + 1, ",", j + 1, ",", csv_cell(run.tasks[j].record.name), ",",
                    after.samples[j], ",", count(&before.scores[0]), ",", count(&after.scores[0]),
                    ",", count(before.find(kCorrectGivenTask)), ",",
                    count(after.find(kCorrectGivenTask)), ",", fixed(before.accuracy(j), 6), ",",
                    fixed(after.accuracy(j), 6), ",", csv_cell(classifier), "\n");
    }
  }
}

std::string format_csv(const ReportedRun& run) {
  std::string csv =
      "after_task,task,name,samples,correct_before_merge,correct,correct_given_task_before_merge,"
      "correct_given_task,accuracy_before_merge,accuracy,classifier\n";
  if (run.tasks.empty()) return csv;
  add_lines(run, run.tasks.back().record.metrics.classifier, run.among_all, csv);
  for (const OtherAccuracy& other : run.others)
    add_lines(run, other.classifier, other.accuracy, csv);
  return csv;
}

}  // namespace

std::string run_page(const std::filesystem::path& run, const KnownSettings& known) {
  return html_page(read_reported_run(run), known);
}

std::string accuracy_csv(const std::filesystem::path& run) {
  return format_csv(read_reported_run(run));
}

void write_run_page(const std::filesystem::path& run, const KnownSettings& known) {
  const ReportedRun records = read_reported_run(run);
  write_file_atomically(run / "report.html", html_page(records, known));
  write_file_atomically(run / "accuracy.csv", format_csv(records));
}

void RunPageWriter::on(const TaskSaved&) {
  try {
    write_run_page(run_, known_);
  } catch (const std::exception& error) {
    std::fprintf(stderr,
                 "palimpsest: report.html is not written: %s; palimpsest-report %s does it later\n",
                 error.what(), run_.c_str());
  }
}

}  // namespace palimpsest
