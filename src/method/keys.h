#pragma once
// Rows of the parts of the method, and which settings exclude one another.
#include "palimpsest/config/keys.h"

namespace palimpsest {

std::vector<Key> keys_of_adapter();
std::vector<Key> keys_of_objective();
std::vector<Key> keys_of_perturbation();
std::vector<Key> keys_of_penalty();
std::vector<Key> keys_of_merge();
std::vector<Key> keys_of_curvature();
std::vector<Key> keys_of_head();
std::vector<Key> keys_of_classifier();

// Throw UsageError where settings contradict one another: of any run; of one that trains.
void check_consistent(const RunConfig& config);
void check_trained_views(const RunConfig& config);

}  // namespace palimpsest
