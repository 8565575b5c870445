#include "palimpsest/metrics/given_task.h"

#include <utility>

namespace palimpsest {

EvaluationRow given_task(EvaluationRow row) {
  row.correct = row.correct_given_task;
  row.correct_top5.clear();
  row.correct_task.clear();
  row.loss_given_task.clear();
  row.class_samples.clear();
  row.class_correct.clear();
  return row;
}

AccuracyMatrix given_task(const AccuracyMatrix& accuracy) {
  AccuracyMatrix view;
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) {
    view.add_row(given_task(accuracy.row(t)), given_task(accuracy.row_before_merge(t)));
  }
  return view;
}

}  // namespace palimpsest
