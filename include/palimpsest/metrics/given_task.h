#pragma once
// Accuracy when every sample comes with its task: what task-incremental learning is measured by.
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// The row or matrix in which `correct` is correct_given_task, so that every number read from it is
// one given the task. What is counted over the classes of all tasks alone (the five largest, single
// classes) is left empty.
EvaluationRow given_task(EvaluationRow row);
AccuracyMatrix given_task(const AccuracyMatrix& accuracy);

}  // namespace palimpsest
