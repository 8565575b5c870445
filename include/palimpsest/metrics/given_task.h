#pragma once
// Accuracy when every sample comes with its task: what task-incremental learning is measured by.
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// The row or matrix in which `correct` is correct_given_task, so that every number read from it is
// one given the task. The counts since 1.2 of the format, among all classes, are left out.
EvaluationRow given_task(EvaluationRow row);
AccuracyMatrix given_task(const AccuracyMatrix& accuracy);

}  // namespace palimpsest
