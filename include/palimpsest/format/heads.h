#pragma once
// Heads of several tasks, as one; and where the memory of a run has them.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/named_tensors.h"
#include "palimpsest/core/scenario.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// As the scenario's name in a recorded configuration says it.
bool shares_head(std::string_view scenario);

// Those that classify: all, or the newest where it is shared.
std::span<const Head> heads_in_use(std::string_view scenario, std::span<const Head> heads);

// The heads side by side, as one: their classes in order. At least one; throws Error when kinds or
// scales differ, as their logits would not compare.
Head joined(std::span<const Head> heads);

// SHA-256 of their numbers.
std::string heads_hash(std::span<const Head> heads);

// Under "head/linear/<task>/" or "head/cosine:scale=<scale>/<task>/": weight [classes, features]
// and bias [classes]. By task; throw Error when the heads don't fit together, or lack a task
// between.
std::string head_instance(std::string_view kind, double scale);
std::vector<Head> heads_in(const NamedTensors& memory);
// The same, each with the numbers that the memory has under "<own>/<task>/", as
// "classifier/<text>", where it has some. Throws Error where these have another shape than the
// head.
std::vector<Head> heads_in(const NamedTensors& memory, std::string_view own);
// Whether a classifier of this text answers by heads: it keeps arrays by task alone, or none.
bool answers_by_heads(const NamedTensors& memory, std::string_view classifier);
// These heads: its own as above, else the trained ones. Weight and bias of a linear head are
// divided by the norm of its logits where the classifier has one.
std::vector<Head> answering_heads(const NamedTensors& memory, std::string_view classifier);
// Whether norms are left out of them, since their heads aren't linear.
bool lack_norms(const NamedTensors& memory, std::string_view classifier);
// The same heads of any classifier that answers linearly, by weight and bias over all classes: by
// task, or, where tasks have the same classes, the newest alone. nullopt where it answers
// otherwise.
std::optional<std::vector<Head>> linear_heads(const NamedTensors& memory,
                                              std::string_view classifier);
void put_head(NamedTensors& memory, std::int64_t task, Head head);
void put_heads(NamedTensors& memory, std::vector<Head> heads);  // in place of all
void put_head(NamedTensors& memory, std::string_view own, std::int64_t task, Head head);

}  // namespace palimpsest
