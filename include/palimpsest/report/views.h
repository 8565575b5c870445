#pragma once
// What the programs show of runs, records, evaluations and merges: the same facts as tables for a
// person and as JSON for a program.
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/format/records.h"
#include "palimpsest/metrics/rule_evaluation.h"
#include "palimpsest/metrics/sweep.h"

namespace palimpsest {

struct Audit;
struct Cosines;
struct RemergeResult;

struct View {
  std::string text;  // lines of at most 100 columns, except for long names
  std::string json;  // one object; "" of a run where it wasn't wanted
};

// Each throws InputError when the file is missing, damaged or of another kind. A run may still be
// going; of records, only the numbers that sum them up are read.
View run_view(const std::filesystem::path& folder, bool with_json = true);
View task_view(const std::filesystem::path& file);
View state_view(const std::filesystem::path& file);
View step_view(const std::filesystem::path& file);       // all of it is read
View merged_view(const std::filesystem::path& file);     // the same
View curvature_view(const std::filesystem::path& file);  // the same
View pack_view(const std::filesystem::path& file);

// Where a run's accuracy is lost (decomposition.h), between a run with a frozen backbone and one
// that learned all tasks at once; either may be left empty.
View decomposition_view(const std::filesystem::path& run, const std::filesystem::path& frozen,
                        const std::filesystem::path& joint);
// Runs that repeat one another with other seeds: mean and deviation of every number.
View repetitions_view(std::span<const std::filesystem::path> folders);

// A run folder (or its manifest.json or run.json), or any HDF5 file of Palimpsest. with_json: of a
// run, whose JSON has every record.
View make_view(const std::filesystem::path& path, bool with_json = true);

// Of merges, audits and cosines. `source`: the run or the adapters, as the user named them. `out`:
// the file that was written; "" for none.
View merge_view(const RemergeResult& result, const std::string& source, const std::string& out);
View audit_view(const Audit& audit, const std::string& run);
View cosines_view(const Cosines& cosines, const std::string& run);

// What was evaluated, and on what.
struct EvaluationTitle {
  std::string weights, pack, split;
  std::vector<std::string> task_names;            // "" where it is not known
  std::vector<std::vector<std::string>> classes;  // by task
  std::vector<std::string> classifiers;           // NAME[:key=value,...]
  bool is_task_given = false;                     // the scenario's score is accuracy given the task
  std::vector<std::string> remarks;
};

// rows: by classifier.
View evaluation_view(const EvaluationTitle& title, std::span<const EvaluationRow> rows);
View sweep_view(const EvaluationTitle& title, const Sweep& sweep);
// The first is the run's own rule.
View rules_view(const EvaluationTitle& title, std::span<const RuleEvaluation> rules);

// A line for each alpha, under a line of names: accuracies as shares, losses in nats.
std::string sweep_csv(const Sweep& sweep);

// A class for every sample.
struct Predictions {
  std::vector<std::string> classes;        // of all classifiers
  std::vector<std::vector<float>> logits;  // by classifier: [samples, classes], row-major
  std::vector<std::int64_t> samples;       // pack indices
  std::vector<std::int64_t> targets;       // the label's place among classes; -1: not one of them
  std::vector<std::string> labels;         // as the pack has them
};

enum class Scores { kNone, kProbabilities, kLogits };
constexpr auto choices(Scores) {
  return std::array<std::string_view, 3>{"none", "probabilities", "logits"};
}

// A line for each sample under a line of names (RFC 4180): pack index, label, whether the likeliest
// class is the label (empty where the weights don't know it), the `top` likeliest classes with
// their probabilities (softmax over all classes), the scores of all classes; and the likeliest
// class by each other classifier.
std::string predictions_csv(const EvaluationTitle& title, const Predictions& predictions,
                            std::int64_t top, Scores scores);

// By class, over the samples whose label the weights know: precision, recall, F1.
View predictions_view(const EvaluationTitle& title, const Predictions& predictions);

// The accuracy matrix (row: after which task, column: on which task's test samples, in percent),
// alpha by task, and the numbers that the field reads from the matrix. `alphas`: one per task, or
// empty where nothing is merged. The lines fit `width` columns: with many tasks the numbers lose
// their decimals, and with too many the matrix its columns. `task_given`: all numbers are those
// given the task (given_task()), except for one. Throws Error when the numbers of alphas and tasks
// differ.
std::string summary_table(const AccuracyMatrix& accuracy, const std::vector<double>& alphas,
                          int width = 100, bool task_given = false);

// The same of a run's other classifiers, each under its name; "" for none.
std::string other_summaries(std::span<const OtherAccuracy> others, int width = 100,
                            bool task_given = false);

}  // namespace palimpsest
