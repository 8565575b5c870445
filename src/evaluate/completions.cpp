#include "completions.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/model/token_losses.h"
#include "palimpsest/session/chunk_loop.h"
#include "palimpsest/train/fisher.h"

namespace palimpsest {
namespace {

// Of the tokens of completions, sample after sample; zero where another rank has the sample.
struct Tokens {
  std::vector<std::int64_t> begins = {0};  // of each sample's, and the end
  at::Tensor losses, is_likeliest;         // [tokens] float64 and bool, where the model is
};

Tokens no_tokens(Session& session, std::span<const Task> tasks, std::size_t first) {
  Tokens tokens;
  for (std::size_t j = first; j < tasks.size(); ++j) {
    for (const std::int64_t sample : tasks[j].test.samples)
      tokens.begins.push_back(tokens.begins.back() + session.inputs.pack.completion_tokens(sample));
  }
  const auto zeros = [&](at::ScalarType type) {
    return at::zeros({tokens.begins.back()}, at::TensorOptions(session.device()).dtype(type));
  };
  tokens.losses = zeros(at::kDouble);
  tokens.is_likeliest = zeros(at::kBool);
  return tokens;
}

// [2, predictions] float64: losses, and 1 where the token is the likeliest.
at::Tensor outcomes_of(const Session& session, const Batch& batch) {
  const TokenOutcomes outcomes =
      token_outcomes(session.model->features(batch), session.model->output_layer(), batch.targets);
  return at::stack({outcomes.losses.to(at::kDouble), outcomes.is_likeliest.to(at::kDouble)});
}

void predict(Session& session, std::span<const Task> tasks, Tokens& tokens) {
  RecordedPass pass(session.placement.make_graph,
                    [&](const Batch& batch) { return outcomes_of(session, batch); });
  ChunkLoop loop(session, session.group.size());
  std::size_t before = 0;  // samples of the tasks before
  for (const Task& task : tasks) {
    loop.over(task.test, loss_chunk(session),
              [&](const Chunk& chunk, std::int64_t, const Batch& batch) {
                const std::size_t sample = before + static_cast<std::size_t>(chunk.first);
                const std::int64_t begin = tokens.begins[sample];
                const std::int64_t count =
                    tokens.begins[sample + static_cast<std::size_t>(chunk.size())] - begin;
                const at::Tensor found = pass(batch).narrow(1, 0, count);
                tokens.losses.narrow(0, begin, count).copy_(found[0]);
                tokens.is_likeliest.narrow(0, begin, count).copy_(found[1]);
              });
    before += static_cast<std::size_t>(task.test.size());
  }
}

}  // namespace

EvaluationRow evaluate_completions(Session& session, std::span<const Task> tasks,
                                   std::size_t first) {
  Tokens tokens = no_tokens(session, tasks, first);
  predict(session, tasks.subspan(first), tokens);
  // What only one rank has keeps its bits.
  const std::size_t samples = tokens.begins.size() - 1;
  std::vector<double> losses(samples);
  std::vector<std::int64_t> likeliest(samples);  // tokens
  const at::Tensor all_losses = tokens.losses.to(at::kCPU),
                   all_likeliest = tokens.is_likeliest.to(at::kCPU);
  for (std::size_t i = 0; i < samples; ++i) {
    for (std::int64_t token = tokens.begins[i]; token < tokens.begins[i + 1]; ++token) {
      losses[i] += all_losses.const_data_ptr<double>()[token];
      likeliest[i] += all_likeliest.const_data_ptr<bool>()[token] ? 1 : 0;
    }
  }
  session.group.sum(std::span(losses), "evaluation losses");
  session.group.sum(std::span(likeliest), "evaluation counts");

  EvaluationRow row;
  Score exact{.name = "exact_match", .sums = {}, .weights = {}},
      right{.name = "correct_tokens", .sums = {}, .weights = {}},
      loss{.name = "loss_per_token", .sums = {}, .weights = {}};
  std::size_t sample = 0;
  for (std::size_t j = 0; j < tasks.size(); ++j) {
    const LabelledSamples& test = tasks[j].test;
    const std::int64_t count = j < first ? 0 : test.size();
    const std::size_t first_class = row.class_samples.size();
    row.class_samples.resize(first_class + tasks[j].classes.size());
    row.class_correct.resize(row.class_samples.size());
    row.samples.push_back(count);
    for (Score* score : {&exact, &right, &loss}) {
      score->sums.push_back(0);
      score->weights.push_back(0);
    }
    for (std::int64_t i = 0; i < count; ++i, ++sample) {
      const std::int64_t length = tokens.begins[sample + 1] - tokens.begins[sample];
      const bool is_exact = likeliest[sample] == length;
      const std::size_t place =
          first_class + static_cast<std::size_t>(test.targets[static_cast<std::size_t>(i)]);
      ++row.class_samples[place];
      row.class_correct[place] += is_exact ? 1 : 0;
      exact.sums[j] += is_exact ? 1 : 0;
      exact.weights[j] += 1;
      right.sums[j] += static_cast<double>(likeliest[sample]);
      loss.sums[j] += losses[sample];
      for (Score* score : {&right, &loss}) score->weights[j] += static_cast<double>(length);
    }
  }
  row.scores = {std::move(exact), std::move(right), std::move(loss)};
  return row;
}

}  // namespace palimpsest
