#include "predicted_samples.h"

#include <ATen/ATen.h>

#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/model/token_losses.h"
#include "palimpsest/session/chunk_loop.h"

namespace palimpsest {
namespace {

// [2, predictions] float64: losses, and 1 where the token is the likeliest.
at::Tensor token_outcomes_of(const Session& session, const Batch& batch) {
  const TokenOutcomes outcomes =
      token_outcomes(session.model->features(batch), session.model->output_layer(), batch.targets);
  return at::stack({outcomes.losses.to(at::kDouble), outcomes.is_likeliest.to(at::kDouble)});
}

}  // namespace

PredictedSamples predict_completions(Session& session, const Pack& pack,
                                     std::span<const LabelledSamples* const> splits) {
  PredictedSamples samples;
  std::vector<std::int64_t> begins = {0};  // of each sample's tokens among all, and the end
  for (const LabelledSamples* split : splits) {
    for (const std::int64_t sample : split->samples) {
      samples.tokens.push_back(pack.completion_tokens(sample));
      begins.push_back(begins.back() + samples.tokens.back());
    }
  }
  // Where the model is, so that nothing waits for a chunk; zero where another rank has the sample.
  const at::Tensor outcomes =
      at::zeros({2, begins.back()}, at::TensorOptions(session.device()).dtype(at::kDouble));
  RecordedPass pass(session.placement.make_graph,
                    [&](const Batch& batch) { return token_outcomes_of(session, batch); });
  ChunkLoop loop(session, session.group.size(), pack);
  std::size_t before = 0;  // samples of the splits before
  for (const LabelledSamples* split : splits) {
    loop.over(*split, session.config.evaluation_batch,
              [&](const Chunk& chunk, std::int64_t, const Batch& batch) {
                const std::size_t sample = before + static_cast<std::size_t>(chunk.first);
                const std::int64_t begin = begins[sample];
                const std::int64_t count =
                    begins[sample + static_cast<std::size_t>(chunk.size())] - begin;
                outcomes.narrow(1, begin, count).copy_(pass(batch).narrow(1, 0, count));
              });
    before += static_cast<std::size_t>(split->size());
  }
  const at::Tensor found = outcomes.to(at::kCPU);
  const double* const losses = found[0].const_data_ptr<double>();
  const double* const likeliest = found[1].const_data_ptr<double>();
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
    samples.losses.push_back(0);
    samples.likeliest.push_back(0);
    for (std::int64_t token = begins[i]; token < begins[i + 1]; ++token) {
      samples.losses.back() += losses[token];
      samples.likeliest.back() += likeliest[token] == 1 ? 1 : 0;
    }
  }
  // What only one rank has keeps its bits.
  session.group.sum(std::span(samples.losses), "evaluation losses");
  session.group.sum(std::span(samples.likeliest), "evaluation counts");
  return samples;
}

}  // namespace palimpsest
