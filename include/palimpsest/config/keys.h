#pragma once
// Rows of the table of settings: those of config, and what the folders that have some of their own
// make theirs with.
#include <limits>
#include <vector>

#include "palimpsest/config/key_table.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();
inline constexpr double kMost =
    1e9;  // of what is counted: a product of two fits 64 bits, one of three doesn't

// Headings in --help under which several folders have rows.
inline constexpr std::string_view kTrainingGroup = "Training one task";
inline constexpr std::string_view kMergeGroup = "Perturb, and merge";
inline constexpr std::string_view kHeadsGroup = "Heads and classifier";

std::vector<Key> keys_of_input();
std::vector<Key> keys_of_passes();  // over a task's samples
std::vector<Key> keys_of_optimizer();
std::vector<Key> keys_of_measuring();  // what is measured beside the method
std::vector<Key> keys_of_running();

// The row of a part of the method, whose text is NAME[:key=value,...]: `row`, which has name,
// group, member and help, with what follows from the part's table. It must outlive the row. `check`
// throws UsageError for a text that the table allows and a run doesn't.
Key key_of_part(Key row, const KindTable& kinds,
                std::function<void(std::string_view text)> check = nullptr);

}  // namespace palimpsest
