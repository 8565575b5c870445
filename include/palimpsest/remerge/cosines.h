#pragma once
// How much the task vectors of a run point the same way.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

struct Cosines {
  std::vector<std::string> task_names = {};
  std::vector<double> norms;                // |Delta_t|, Frobenius
  std::vector<std::vector<double>> cosine;  // [tasks, tasks]; 0 where a task vector is zero
};

// <Delta_a, Delta_b> = sum over modules s_a s_b tr((B_b' B_a)(A_a A_b')): nothing of [out, in] is
// formed. Modules that only one of them has are zero in the other. Throws Error when a module has
// another shape.
double inner_product(const std::vector<LoraFactors>& a, const std::vector<LoraFactors>& b);

// Reads A and B of every task, and nothing else. Throws InputError as read_task_record().
Cosines cosines_of_run(const std::filesystem::path& run, int threads);

}  // namespace palimpsest
