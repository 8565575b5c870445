#include "completions.h"

#include <c10/core/GradMode.h>

#include "choices.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/evaluate/generation.h"
#include "palimpsest/metrics/scores.h"
#include "predicted_samples.h"

namespace palimpsest {
namespace {

// Of what is written after the prompts of these samples.
std::vector<double> rouge_of(Session& session, std::span<const std::int64_t> samples) {
  const SamplesToContinue given = samples_to_continue(session.inputs.pack, samples);
  const std::vector<TokenIds> written = generate(session, given.prompts, given.limits);
  std::vector<double> all;
  for (std::size_t i = 0; i < samples.size(); ++i)
    all.push_back(rouge_l(given.completions[i], written[i], given.limits));
  return all;
}

// The score of each test sample of a task. is_exact: by sample.
std::vector<double> task_scores(Session& session, const Task& task, std::vector<double> is_exact) {
  const auto put = [&](AnswerScore score, const auto& scores_of) {
    const std::vector<std::size_t> places = scored_by(task, score);
    if (places.empty()) return;
    std::vector<std::int64_t> samples;
    for (const std::size_t place : places) samples.push_back(task.test.samples[place]);
    const auto found = scores_of(samples);
    for (std::size_t i = 0; i < places.size(); ++i) is_exact[places[i]] = found[i];
  };
  put(AnswerScore::kRougeL,
      [&](std::span<const std::int64_t> samples) { return rouge_of(session, samples); });
  put(AnswerScore::kChoice, [&](std::span<const std::int64_t> samples) {
    return chosen_by_likelihood(session, samples, choice_candidates(session.inputs.pack, task));
  });
  return is_exact;
}

// Of a text that belongs to no task, with the model as it is.
TextLoss general_loss(Session& session) {
  const Pack& pack = *session.inputs.general;
  LabelledSamples all;
  for (std::int64_t sample = 0; sample < pack.size(); ++sample)
    if (pack.is_test(sample)) all.samples.push_back(sample);
  all.targets.resize(all.samples.size());
  const LabelledSamples* const split = &all;
  const PredictedSamples samples = predict_completions(session, pack, {&split, 1});
  TextLoss loss;
  for (std::size_t i = 0; i < samples.losses.size(); ++i) {
    loss.nats += samples.losses[i];
    loss.tokens += samples.tokens[i];
  }
  return loss;
}

// Both are entered at the newest task: they belong to none.
void add_general_loss(Session& session, EvaluationRow& row) {
  if (!session.inputs.general) return;
  const TextLoss now = general_loss(session), before = loss_before_stream(session);
  const auto add = [&](std::string_view name, const TextLoss& loss) {
    Score score{.name = std::string(name),
                .sums = std::vector<double>(row.samples.size()),
                .weights = std::vector<double>(row.samples.size())};
    score.sums.back() = loss.nats;
    score.weights.back() = static_cast<double>(loss.tokens);
    row.scores.push_back(std::move(score));
  };
  add("general_loss", now);
  add(kGeneralLossBefore, before);
}

}  // namespace

TextLoss loss_before_stream(Session& session) {
  if (!session.loss_before_stream) {
    const c10::NoGradGuard no_grad;
    const AdaptedWeights weights = session.loaded;
    load_weights(session, zero_weights(session));
    session.loss_before_stream = general_loss(session);
    if (weights != nullptr) load_weights(session, weights);
  }
  return *session.loss_before_stream;
}

EvaluationRow evaluate_completions(Session& session, std::span<const Task> tasks,
                                   std::size_t first) {
  std::vector<const LabelledSamples*> splits;
  for (const Task& task : tasks.subspan(first)) splits.push_back(&task.test);
  const PredictedSamples samples = predict_completions(session, session.inputs.pack, splits);
  EvaluationRow row;
  Score own{.name = std::string(kTaskScoreName), .sums = {}, .weights = {}},
      exact{.name = std::string(kExactMatchName), .sums = {}, .weights = {}},
      right{.name = "correct_tokens", .sums = {}, .weights = {}},
      loss{.name = std::string(kLossPerToken), .sums = {}, .weights = {}};
  std::size_t sample = 0;
  for (std::size_t j = 0; j < tasks.size(); ++j) {
    const Task& task = tasks[j];
    const std::int64_t count = j < first ? 0 : task.test.size();
    const std::size_t first_class = row.class_samples.size();
    row.class_samples.resize(first_class + task.classes.size());
    row.class_correct.resize(row.class_samples.size());
    row.samples.push_back(count);
    for (Score* score : {&own, &exact, &right, &loss}) {
      score->sums.push_back(0);
      score->weights.push_back(0);
    }
    std::vector<double> is_exact_by_sample;
    for (std::int64_t i = 0; i < count; ++i, ++sample) {
      const std::int64_t target = task.test.targets[static_cast<std::size_t>(i)];
      const auto length = static_cast<double>(samples.tokens[sample]);
      const bool is_exact = samples.likeliest[sample] == samples.tokens[sample];
      const std::size_t place = first_class + static_cast<std::size_t>(target);
      ++row.class_samples[place];
      row.class_correct[place] += is_exact ? 1 : 0;
      is_exact_by_sample.push_back(is_exact ? 1 : 0);
      exact.sums[j] += is_exact ? 1 : 0;
      right.sums[j] += static_cast<double>(samples.likeliest[sample]);
      loss.sums[j] += samples.losses[sample];
      for (Score* score : {&own, &exact}) score->weights[j] += 1;
      for (Score* score : {&right, &loss}) score->weights[j] += length;
    }
    if (count == 0 || !session.inputs.has_task_score) continue;
    for (const double score : task_scores(session, task, std::move(is_exact_by_sample)))
      own.sums[j] += score;
  }
  if (session.inputs.has_task_score) {
    row.scores.push_back(std::move(own));
    row.class_samples.clear();  // that are right isn't counted
    row.class_correct.clear();
  }
  for (Score* score : {&exact, &right, &loss}) row.scores.push_back(std::move(*score));
  add_general_loss(session, row);
  return row;
}

}  // namespace palimpsest
