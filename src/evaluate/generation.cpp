#include "palimpsest/evaluate/generation.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/rouge.h"

namespace palimpsest {
namespace {

// Texts of a batch. A batch that is short is filled up with its first prompt, since products of few
// rows have other bits.
std::int64_t batch_size(at::Device device) { return device.is_cpu() ? 16 : 64; }

Batch batch_of(std::span<const TokenIds> prompts, std::int64_t size, at::Device device) {
  Texts texts;
  for (std::int64_t i = 0; i < size; ++i) {
    const TokenIds& prompt = prompts[i < std::ssize(prompts) ? static_cast<std::size_t>(i) : 0];
    texts.ids.insert(texts.ids.end(), prompt.begin(), prompt.end());
    texts.lengths.push_back(std::ssize(prompt));
  }
  Batch batch{.samples = texts, .targets = {}};
  if (!device.is_cpu()) batch.samples = padded(texts, device);
  return batch;
}

std::vector<TokenIds> continued(const Session& session, std::span<const TokenIds> prompts,
                                const GenerationLimits& limits) {
  const Backbone& model = *session.model;
  const std::int64_t size = batch_size(session.device()),
                     positions = text_limits(session.inputs.backbone).positions;
  DecodingCache cache;
  std::vector<std::int64_t> most;  // tokens of each text
  for (const TokenIds& prompt : prompts) {
    most.push_back(std::min(limits.tokens, positions - std::ssize(prompt)));
    cache.capacity = std::max(cache.capacity, std::ssize(prompt) + most.back());
  }
  at::Tensor hidden = model.begin_decoding(batch_of(prompts, size, session.device()), cache);
  std::vector<TokenIds> texts(prompts.size());
  const auto has_ended = [&](std::size_t i) {
    return std::ssize(texts[i]) == most[i] || has_end(texts[i], limits);
  };
  while (true) {
    const at::Tensor next =
        at::linear(hidden.to(model.output_layer().scalar_type()), model.output_layer()).argmax(1);
    const at::Tensor host = next.to(at::kCPU);
    bool all_ended = true;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (!has_ended(i)) texts[i].push_back(host.const_data_ptr<std::int64_t>()[i]);
      all_ended = all_ended && has_ended(i);
    }
    if (all_ended) return texts;
    hidden = model.decode(next, cache);
  }
}

void check_room(const Session& session, std::span<const TokenIds> prompts) {
  const std::int64_t positions = text_limits(session.inputs.backbone).positions;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (std::ssize(prompts[i]) < positions && !prompts[i].empty()) continue;
    throw InputError(concat("prompt ", i + 1, " has ", prompts[i].size(), " tokens: expected 1 to ",
                            positions - 1, ", so that one more fits into the ", positions,
                            " positions of the backbone"));
  }
}

}  // namespace

bool has_end(const TokenIds& text, const GenerationLimits& limits) {
  return !text.empty() && text.back() == limits.stop;
}

double rouge_l(const TokenIds& completion, const TokenIds& written,
               const GenerationLimits& limits) {
  const auto content = [&](const TokenIds& text) {
    return std::span(text).first(text.size() - (has_end(text, limits) ? 1 : 0));
  };
  return rouge_l(content(completion), content(written));
}

std::vector<TokenIds> generate(Session& session, std::span<const TokenIds> prompts,
                               const GenerationLimits& limits) {
  check_room(session, prompts);
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(session.watchdog, "generation", 10);
  const std::size_t size = static_cast<std::size_t>(batch_size(session.device())),
                    ranks = static_cast<std::size_t>(session.group.size()),
                    rank = static_cast<std::size_t>(session.group.rank());
  std::vector<TokenIds> texts(prompts.size());
  std::vector<std::int64_t> own;  // of this rank: number, length and tokens of each text
  for (std::size_t first = 0, batch = 0; first < prompts.size(); first += size, ++batch) {
    if (batch % ranks == 0) session.stop.check();
    if (batch % ranks != rank) continue;
    const std::size_t count = std::min(size, prompts.size() - first);
    const std::vector<TokenIds> found = continued(session, prompts.subspan(first, count), limits);
    for (std::size_t i = 0; i < count; ++i) {
      own.insert(own.end(), {static_cast<std::int64_t>(first + i), std::ssize(found[i])});
      own.insert(own.end(), found[i].begin(), found[i].end());
    }
  }
  const auto parts =
      session.group.gather(std::span<const std::int64_t>(own), "gathering what is written");
  std::vector<std::int64_t> all;
  for (const std::vector<std::int64_t>& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  session.group.broadcast(all, 0, "broadcast of what is written");
  for (auto next = all.begin(); next != all.end();) {
    const auto number = static_cast<std::size_t>(next[0]);
    const auto end = next + 2 + next[1];
    texts[number].assign(next + 2, end);
    next = end;
  }
  return texts;
}

SamplesToContinue samples_to_continue(const Pack& pack, std::span<const std::int64_t> samples) {
  SamplesToContinue all;
  std::map<std::int64_t, std::size_t> ends;  // how many completions end with a token
  for (const std::int64_t sample : samples) {
    const std::span<const std::int32_t> ids = pack.tokens(sample);
    const Completion last = pack.completions(sample).back();
    const auto begin = ids.begin() + last.begin, end = ids.begin() + last.end;
    all.prompts.emplace_back(ids.begin(), begin);
    all.completions.emplace_back(begin, end);
    all.limits.tokens = std::max(all.limits.tokens, last.size());
    ++ends[all.completions.back().back()];
  }
  const auto most = std::ranges::max_element(ends, {}, [](const auto& one) { return one.second; });
  if (most != ends.end() && 2 * most->second >= samples.size()) all.limits.stop = most->first;
  return all;
}

}  // namespace palimpsest
