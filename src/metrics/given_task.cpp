#include "palimpsest/metrics/given_task.h"

#include "palimpsest/metrics/scores.h"

namespace palimpsest {

EvaluationRow given_task(const EvaluationRow& row) {
  return {.samples = row.samples, .scores = {row.score(kCorrectGivenTask)}};
}

AccuracyMatrix given_task(const AccuracyMatrix& accuracy) {
  AccuracyMatrix view;
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) {
    view.add_row(given_task(accuracy.row(t)), given_task(accuracy.row_before_merge(t)));
  }
  return view;
}

}  // namespace palimpsest
