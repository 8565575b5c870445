#pragma once
// What palimpsest predict writes and shows: a class for every sample, and how often it was right.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/report/evaluation_views.h"

namespace palimpsest {

struct Predictions {
  std::vector<std::string> classes;   // of the classifier
  std::vector<float> logits;          // [samples, classes], row-major
  std::vector<std::int64_t> samples;  // pack indices
  std::vector<std::int64_t> targets;  // the label's place among classes; -1: not one of them
  std::vector<std::string> labels;    // as the pack has them
};

enum class Scores { kNone, kProbabilities, kLogits };
constexpr auto choices(Scores) {
  return std::array<std::string_view, 3>{"none", "probabilities", "logits"};
}

// A line for each sample under a line of names (RFC 4180): pack index, label, whether the likeliest
// class is the label (empty where the weights don't know it), the `top` likeliest classes with
// their probabilities (softmax over all classes), and the scores of all classes.
std::string csv_of_predictions(const Predictions& predictions, std::int64_t top, Scores scores);

// By class, over the samples whose label the weights know: precision, recall, F1.
View view_of_predictions(const EvaluationTitle& title, const Predictions& predictions);

}  // namespace palimpsest
