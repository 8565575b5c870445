#pragma once
// Runs beside one another: mean and spread over seeds and class orders, and differences pair by
// pair.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "palimpsest/metrics/stream_metrics.h"

namespace palimpsest {

struct ComparedRun {
  std::string folder;
  std::uint64_t seed = 0;
  std::string class_order;               // SHA-256 of the tasks' classes in their order
  std::map<std::string, double> values;  // measure (last, average_anytime, ...) -> share
  std::vector<double> accuracies;        // A_t, after each task
};

// Runs that differ in seed and class order alone.
struct RunGroup {
  std::string name;         // A, B, ...
  std::string description;  // in what it differs from the other groups
  std::vector<ComparedRun> runs;
  std::map<std::string, Spread> spreads;
  std::string published;  // what is published for it, and on which conditions
};

// Over the seeds and class orders that two groups share: the second's number minus the first's.
struct PairedDifference {
  std::size_t first = 0, second = 0;  // of the groups
  std::size_t pairs = 0;
  std::map<std::string, Spread> spreads;
};

struct RunComparison {
  std::vector<RunGroup> groups;
  std::vector<PairedDifference> differences;
};

// Throws InputError where a run has no finished task or is damaged, UsageError where two runs of a
// group have the same seed and class order: they would count twice.
RunComparison compare_runs(const std::vector<std::filesystem::path>& runs);

// For a terminal, for programs, for spreadsheets (a line per run), and as a page that needs nothing
// else.
std::string comparison_text(const RunComparison& comparison);
std::string comparison_json(const RunComparison& comparison);
std::string comparison_csv(const RunComparison& comparison);
std::string comparison_page(const RunComparison& comparison);

}  // namespace palimpsest
