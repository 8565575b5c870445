#pragma once
// The report of a run: one page that needs nothing else, and its accuracies as a table for
// programs.
#include <filesystem>
#include <string>

#include "palimpsest/core/run_events.h"

namespace palimpsest {

// Every setting that the program knows: JSON objects of names and defaults.
struct KnownSettings {
  std::string all;
  std::string recorded;  // those alone that say what a run computes
};

// An HTML page from the records, run.json and metrics.jsonl, and from nothing else: a run that was
// resumed gives the page of one that wasn't, except for times. Throws InputError where they are
// missing or damaged.
std::string run_page(const std::filesystem::path& run, const KnownSettings& known);

// One line per evaluated task after each task: after_task, task, name, samples, and how many were
// right before and after the merge, also with the task given. Throws as run_page.
std::string accuracy_csv(const std::filesystem::path& run);

// Writes report.html and accuracy.csv into the run folder.
void write_run_page(const std::filesystem::path& run, const KnownSettings& known);

// Writes them after each task. A page can be had again from the records at any time, so that a
// failure is printed on the standard error and ends nothing.
class RunPageWriter : public RunListener {
 public:
  RunPageWriter(std::filesystem::path run, KnownSettings known)
      : run_(std::move(run)), known_(std::move(known)) {}
  void on(const TaskSaved& event) override;

 private:
  std::filesystem::path run_;
  KnownSettings known_;
};

}  // namespace palimpsest
