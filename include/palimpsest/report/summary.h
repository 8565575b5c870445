#pragma once
// The table at the end of a run: what was learned, what the merges did, what was forgotten.
#include <string>
#include <vector>

#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// The accuracy matrix (row: after which task, column: on which task's test samples, in percent),
// alpha by task, and the numbers that the field reads from the matrix. `alphas`: one per task, or
// empty where nothing is merged. The lines fit `width` columns: with many tasks the numbers lose
// their decimals, and with too many the matrix its columns. `task_given`: all numbers are those
// given the task (given_task()), except for one. Throws Error when the numbers of alphas and tasks
// differ.
std::string summary_table(const AccuracyMatrix& accuracy, const std::vector<double>& alphas,
                          int width = 100, bool task_given = false);

}  // namespace palimpsest
