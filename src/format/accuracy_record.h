#pragma once
// Evaluations in task and state records: samples, and every score that a row has, by its name.
#include <string>
#include <vector>

#include "h5.h"
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// In `group`: samples, scores (their names, in order), the sums of each under its name, its weights
// under weights/ where they are others than the samples; class_samples and class_correct, where the
// row has them. Sums that are counts are i8, others f8. Read: checked as check_row() does.
void write_row(H5Writer& file, const std::string& group, const EvaluationRow& row);
EvaluationRow read_row(const H5File& file, const std::string& group, std::size_t tasks);

// The same in /accuracy/after_merge and /accuracy/before_merge, one row for each task: what it has,
// then zeros. A row has no weight at all in a score that only others have.
void write_accuracy(H5Writer& file, const AccuracyMatrix& accuracy);
// classes: by task.
AccuracyMatrix read_accuracy(const H5File& file,
                             const std::vector<std::vector<std::string>>& classes);

}  // namespace palimpsest
