#include "choices.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/data/sample_reader.h"
#include "palimpsest/evaluate/generation.h"
#include "palimpsest/model/token_losses.h"

namespace palimpsest {
namespace {

constexpr std::size_t kCandidates = 16;  // that pass through the model at a time

// The losses of each of the candidates after the prompt, summed over its tokens, in nats.
std::vector<double> losses_after(const Session& session, const TokenIds& prompt,
                                 std::span<const TokenIds> candidates) {
  std::vector<double> losses;
  for (std::size_t first = 0; first < candidates.size(); first += kCandidates) {
    const auto group = candidates.subspan(first, std::min(kCandidates, candidates.size() - first));
    Texts texts;
    std::vector<std::vector<Completion>> places;
    for (const TokenIds& candidate : group) {
      texts.ids.insert(texts.ids.end(), prompt.begin(), prompt.end());
      texts.ids.insert(texts.ids.end(), candidate.begin(), candidate.end());
      const std::int64_t begin = std::ssize(prompt);
      places.push_back({{begin, begin + std::ssize(candidate)}});
      texts.lengths.push_back(begin + std::ssize(candidate));
    }
    const Batch batch = sequence_batch(std::move(texts), places, session.device());
    const at::Tensor found =
        token_outcomes(session.model->features(batch), session.model->output_layer(), batch.targets)
            .losses.to(at::kCPU, at::kDouble);
    std::int64_t token = 0;
    for (const TokenIds& candidate : group) {
      losses.push_back(found.narrow(0, token, std::ssize(candidate)).sum().item<double>());
      token += std::ssize(candidate);
    }
  }
  return losses;
}

}  // namespace

std::vector<bool> chosen_by_likelihood(Session& session, std::span<const std::int64_t> samples,
                                       std::span<const TokenIds> candidates) {
  const SamplesToContinue given = samples_to_continue(session.inputs.pack, samples);
  const auto ranks = static_cast<std::size_t>(session.group.size()),
             rank = static_cast<std::size_t>(session.group.rank());
  std::vector<std::int64_t> is_own(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i % ranks == 0) session.stop.check();
    if (i % ranks != rank) continue;
    const std::vector<double> losses = losses_after(session, given.prompts[i], candidates);
    const auto likeliest =
        static_cast<std::size_t>(std::ranges::min_element(losses) - losses.begin());
    is_own[i] = candidates[likeliest] == given.completions[i] ? 1 : 0;
  }
  session.group.sum(std::span(is_own), "choices by likelihood");
  return {is_own.begin(), is_own.end()};
}

}  // namespace palimpsest
