#include "palimpsest/metrics/scores.h"

#include <algorithm>
#include <cmath>

namespace palimpsest {
namespace {

constexpr std::string_view kCorrect = "correct";

constexpr ScoreInfo kScores[] = {
    {.name = kCorrect,
     .key = "accuracy",
     .metric = "",
     .column = "accuracy in %",
     .title = "accuracy",
     .meaning = "choosing among all classes seen",
     .unit = Unit::kShare},
    {.name = kCorrectGivenTask,
     .key = "accuracy_given_task",
     .metric = "given_task",
     .column = "given the task",
     .title = "accuracy given the task",
     .meaning = "choosing among the task's classes only",
     .unit = Unit::kShare},
    {.name = "correct_task",
     .key = "task_identity",
     .metric = "task_identity",
     .column = "its task",
     .title = "task identity",
     .meaning = "the class chosen being one of the right task",
     .unit = Unit::kShare,
     .in_sweeps = false,
     .at_least = kCorrect},
    {.name = "correct_top5",
     .key = "top5",
     .metric = "top5",
     .column = "among five",
     .title = "top-5 accuracy",
     .meaning = "the class being among the five likeliest",
     .unit = Unit::kShare,
     .in_sweeps = false,
     .at_least = kCorrect},
    {.name = kTaskScoreName,
     .key = "task_score",
     .metric = "",
     .column = "task score in %",
     .title = "task score",
     .meaning =
         "exact match or ROUGE-L of what greedy decoding writes, or the choice by likelihood, as "
         "the protocol says of each task",
     .unit = Unit::kShare,
     .of_completions = true},
    {.name = kExactMatchName,
     .key = "exact_match",
     .metric = "exact_match",
     .column = "exact match in %",
     .title = "exact match",
     .meaning = "the completion being what greedy decoding writes",
     .unit = Unit::kShare,
     .of_completions = true},
    {.name = "correct_tokens",
     .key = "correct_tokens",
     .metric = "correct_tokens",
     .column = "tokens in %",
     .title = "correct tokens",
     .meaning = "tokens of completions being the likeliest after those before them",
     .unit = Unit::kShare,
     .of_completions = true},
    {.name = kLossPerToken,
     .key = "loss_per_token",
     .metric = "loss_per_token",
     .column = "nats a token",
     .title = "loss per token",
     .meaning = "mean cross-entropy of the tokens of completions, in nats",
     .unit = Unit::kNats,
     .less_is_better = true,
     .of_completions = true,
     .has_matrix = true},
    {.name = "general_loss",
     .key = "general_loss",
     .metric = "general_loss",
     .column = "general, nats",
     .title = "general loss",
     .meaning = "nats a token on the text of --general, which belongs to no task",
     .unit = Unit::kNats,
     .less_is_better = true,
     .of_completions = true,
     .in_summary = true},
    {.name = kGeneralLossBefore,
     .key = "general_loss_before_stream",
     .metric = "general_loss_before_stream",
     .column = "before, nats",
     .title = "  before the stream",
     .meaning = "the same, of the pretrained weights",
     .unit = Unit::kNats,
     .less_is_better = true,
     .of_completions = true,
     .in_sweeps = false,
     .in_summary = true},
    {.name = kLossGivenTask,
     .key = "loss_given_task",
     .metric = "loss_given_task",
     .column = "loss",
     .title = "loss given the task",
     .meaning = "mean cross-entropy given the task, in nats",
     .unit = Unit::kNats,
     .less_is_better = true},
};

}  // namespace

std::span<const ScoreInfo> known_scores() { return kScores; }

ScoreInfo score_info(std::string_view name) {
  const auto* const known = std::ranges::find(kScores, name, &ScoreInfo::name);
  if (known != std::end(kScores)) return *known;
  return {.name = name, .key = name, .metric = name, .column = name, .title = name, .meaning = ""};
}

std::string primary_title(const EvaluationRow& row) {
  const ScoreInfo info = score_info(row.scores.empty() ? kCorrect : row.scores.front().name);
  return std::string(info.of_completions ? info.title : "accuracy");
}

std::vector<const Score*> in_table_order(const EvaluationRow& row) {
  std::vector<const Score*> scores;
  for (const ScoreInfo& info : kScores)
    if (const Score* score = row.find(info.name)) scores.push_back(score);
  for (const Score& score : row.scores)
    if (std::ranges::count(scores, &score) == 0) scores.push_back(&score);
  return scores;
}

bool are_whole(std::span<const double> values) {
  constexpr double kMost = 9007199254740992.0;  // 2^53
  return std::ranges::all_of(values, [](double value) {
    return std::abs(value) <= kMost && std::nearbyint(value) == value;
  });
}

bool are_counts(std::string_view name, std::span<const double> sums) {
  return score_info(name).unit != Unit::kNats && are_whole(sums);
}

}  // namespace palimpsest
