#pragma once
// What is known of a score by its name. Everything else takes scores as they come: a new one is
// computed by the evaluator and has its line in the table of scores.cpp.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/evaluation_row.h"

namespace palimpsest {

inline constexpr std::string_view kCorrectGivenTask = "correct_given_task";
inline constexpr std::string_view kLossGivenTask = "loss_given_task";
inline constexpr std::string_view kLossPerToken = "loss_per_token";
inline constexpr std::string_view kGeneralLossBefore = "general_loss_before_stream";
inline constexpr std::string_view kTaskScoreName = "task_score";
inline constexpr std::string_view kExactMatchName = "exact_match";

enum class Unit {
  kShare,  // of the weight: the sums are counts
  kNats,
  kOther
};

struct ScoreInfo {
  std::string_view name;     // in rows, records and metrics.jsonl
  std::string_view key;      // of its mean, in JSON and CSV
  std::string_view metric;   // in stream_metrics(), behind "last_"; "": as primary score alone
  std::string_view column;   // over a column
  std::string_view title;    // before a line
  std::string_view meaning;  // "": the name says it
  Unit unit = Unit::kOther;
  bool less_is_better = false;
  bool of_completions = false;     // measured on sequences, not on samples with classes
  bool in_sweeps = true;           // shown along the line of a merge
  bool has_matrix = false;         // beside the primary one's, over tasks and time
  bool in_summary = false;         // its last mean is in the table of a run, though it is in nats
  std::string_view at_least = {};  // the score that it is never less than
};

// In the order of stream_metrics().
std::span<const ScoreInfo> known_scores();

// What the primary score of a row is called: "accuracy", "exact match".
std::string primary_title(const EvaluationRow& row);

// Of a score that the table doesn't have: its own name throughout, which must outlive this.
ScoreInfo score_info(std::string_view name);

// Known ones as above, then the others as the row has them.
std::vector<const Score*> in_table_order(const EvaluationRow& row);

// Whether all are whole numbers, and exact.
bool are_whole(std::span<const double> values);
// Whether these sums of a score are counts: written as integers.
bool are_counts(std::string_view name, std::span<const double> sums);

}  // namespace palimpsest
