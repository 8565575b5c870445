#pragma once
// Accuracy when every sample comes with its task: what task-incremental learning is measured by.
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// The row or matrix whose only score is what was correct given the task, so that every number read
// from it is one given the task. Throws Error where a row has no such score.
EvaluationRow given_task(const EvaluationRow& row);
AccuracyMatrix given_task(const AccuracyMatrix& accuracy);

}  // namespace palimpsest
