#pragma once
// What palimpsest eval shows: one evaluation, or a sweep along the line of a merge.
#include <string>
#include <vector>

#include "palimpsest/metrics/sweep.h"
#include "palimpsest/report/views.h"

namespace palimpsest {

// What was evaluated, and on what.
struct EvaluationTitle {
  std::string weights, pack, split;
  std::vector<std::string> task_names;            // "" where it is not known
  std::vector<std::vector<std::string>> classes;  // by task
  std::vector<std::string> remarks;
};

View view_of_evaluation(const EvaluationTitle& title, const EvaluationRow& row);
View view_of_sweep(const EvaluationTitle& title, const Sweep& sweep);

// A line for each alpha, under a line of names: accuracies as shares, losses in nats.
std::string csv_of_sweep(const Sweep& sweep);

}  // namespace palimpsest
