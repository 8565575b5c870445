#pragma once
// Heads of several tasks, as one.
#include <span>
#include <string>
#include <string_view>

#include "palimpsest/format/records.h"

namespace palimpsest {

// Whether one head, that of the newest task, serves all tasks (--scenario domain-incremental).
bool shares_head(std::string_view scenario);

// Those that tell classes apart: all, or the newest where it is shared.
std::span<const Head> heads_in_use(std::string_view scenario, std::span<const Head> heads);

// The heads side by side, as one: their classes in order. At least one; throws Error when kinds or
// scales differ, as their logits would not compare.
Head joined(std::span<const Head> heads);

// SHA-256 of their numbers.
std::string heads_hash(std::span<const Head> heads);

}  // namespace palimpsest
