#include "choices.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sample_reader.h"
#include "palimpsest/evaluate/generation.h"
#include "palimpsest/model/token_losses.h"

namespace palimpsest {
namespace {

constexpr std::size_t kCandidates = 16;  // that pass through the model at a time

// Those that differ, in the order in which they come, and which of them each sample has.
struct Candidates {
  std::vector<TokenIds> all;
  std::vector<std::int64_t> own;  // by sample
};

Candidates find_candidates(std::span<const TokenIds> completions) {
  Candidates found;
  for (const TokenIds& completion : completions) {
    const auto place = std::ranges::find(found.all, completion);
    found.own.push_back(place - found.all.begin());
    if (place == found.all.end()) found.all.push_back(completion);
  }
  return found;
}

void check_lengths(const Session& session, std::span<const TokenIds> prompts,
                   std::span<const TokenIds> candidates) {
  const std::int64_t positions = text_limits(session.inputs.backbone).positions;
  const auto size = [](const TokenIds& text) { return std::ssize(text); };
  const std::int64_t prompt = size(*std::ranges::max_element(prompts, {}, size)),
                     candidate = size(*std::ranges::max_element(candidates, {}, size));
  if (prompt + candidate <= positions) return;
  throw InputError(concat(session.inputs.pack.path().string(),
                          ": choice by likelihood: expected prompts that fit into the ", positions,
                          " positions of the backbone with every candidate, found a prompt of ",
                          prompt, " tokens and a candidate of ", candidate,
                          ": shorten them (palimpsest-pack chat --max-length), or score the task "
                          "by exact-match"));
}

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

std::vector<bool> chosen_by_likelihood(Session& session, std::span<const std::int64_t> samples) {
  const SamplesToContinue given = samples_to_continue(session.inputs.pack, samples);
  const Candidates candidates = find_candidates(given.completions);
  check_lengths(session, given.prompts, candidates.all);
  const auto ranks = static_cast<std::size_t>(session.group.size()),
             rank = static_cast<std::size_t>(session.group.rank());
  std::vector<std::int64_t> is_own(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i % ranks == 0) session.stop.check();
    if (i % ranks != rank) continue;
    const std::vector<double> losses = losses_after(session, given.prompts[i], candidates.all);
    is_own[i] = std::ranges::min_element(losses) - losses.begin() == candidates.own[i];
  }
  session.group.sum(std::span(is_own), "choices by likelihood");
  return {is_own.begin(), is_own.end()};
}

}  // namespace palimpsest
