#pragma once
// Texts continued by greedy decoding: each token is the likeliest one after those before it.
#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/session/session.h"

namespace palimpsest {

using TokenIds = std::vector<std::int64_t>;

struct GenerationLimits {
  std::int64_t tokens = 0;  // most that are written for a text, as far as positions reach
  std::int64_t stop = -1;   // the token that ends a text, written too; -1: none
};

// Whether the token that ends a text is there.
bool has_end(const TokenIds& text, const GenerationLimits& limits);

// ROUGE-L of what was written, both without the token that ends them.
double rouge_l(const TokenIds& completion, const TokenIds& written, const GenerationLimits& limits);

// Collective; the model as it is, which predicts tokens. What follows each prompt, in their order,
// on every rank. Prompts are continued in batches of a fixed size, distributed over the ranks: the
// same tokens at every number of ranks. Throws Stopped, on every rank alike, between two rounds of
// batches; InputError for a prompt without room for a token within the backbone's positions.
std::vector<TokenIds> generate(Session& session, std::span<const TokenIds> prompts,
                               const GenerationLimits& limits);

// What generate() is called with for samples of the session's pack: the prompt of each is what is
// before its last completion.
struct SamplesToContinue {
  std::vector<TokenIds> prompts, completions;
  // As many tokens as the longest completion has, and the token that most of them end with.
  GenerationLimits limits = {};
};
SamplesToContinue samples_to_continue(const Pack& pack, std::span<const std::int64_t> samples);

}  // namespace palimpsest
