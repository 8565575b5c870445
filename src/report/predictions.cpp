#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include "palimpsest/core/progress.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

std::span<const float> sample_logits(const Predictions& predictions, std::size_t sample,
                                     std::size_t classifier = 0) {
  const std::size_t classes = predictions.classes.size();
  return std::span(predictions.logits[classifier]).subspan(sample * classes, classes);
}

// The likeliest first; of equals the first class.
std::vector<std::size_t> ranked(std::span<const float> logits, std::size_t count) {
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                    });
  order.resize(count);
  return order;
}

std::vector<double> softmax(std::span<const float> logits) {
  const double most = *std::ranges::max_element(logits);
  std::vector<double> shares;
  double sum = 0;
  for (const float logit : logits) {
    shares.push_back(std::exp(logit - most));
    sum += shares.back();
  }
  for (double& share : shares) share /= sum;
  return shares;
}

struct ClassCounts {
  std::int64_t samples = 0, predicted = 0, correct = 0;
};

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

// 2 / (1/precision + 1/recall), as counts.
std::optional<double> f1(const ClassCounts& counts) {
  return share(2 * counts.correct, counts.samples + counts.predicted);
}

}  // namespace

std::string predictions_csv(const EvaluationTitle& title, const Predictions& predictions,
                            std::int64_t top, Scores scores) {
  const auto kept = std::min(static_cast<std::size_t>(top), predictions.classes.size());
  std::string csv = "sample,label,correct";
  for (std::size_t k = 1; k <= kept; ++k) csv += concat(",class_", k, ",probability_", k);
  if (scores != Scores::kNone) {
    const char* const what = scores == Scores::kLogits ? "logit of " : "probability of ";
    for (const std::string& name : predictions.classes) csv += "," + csv_cell(what + name);
  }
  for (const std::string& other : std::span(title.classifiers).subspan(1))
    csv += "," + csv_cell("class by " + other);
  csv += "\n";
  for (std::size_t i = 0; i < predictions.samples.size(); ++i) {
    const std::span<const float> logits = sample_logits(predictions, i);
    const std::vector<double> probabilities = softmax(logits);
    const std::vector<std::size_t> order = ranked(logits, std::max<std::size_t>(kept, 1));
    const std::int64_t target = predictions.targets[i];
    const bool is_right = target == static_cast<std::int64_t>(order.front());
    csv += concat(predictions.samples[i], ",", csv_cell(predictions.labels[i]), ",",
                  target < 0 ? ""
                  : is_right ? "1"
                             : "0");
    for (const std::size_t c : std::span(order).first(kept))
      csv += "," + csv_cell(predictions.classes[c]) + "," + shortest(probabilities[c]);
    for (std::size_t c = 0; scores != Scores::kNone && c < logits.size(); ++c)
      csv += "," + (scores == Scores::kLogits ? shortest(logits[c]) : shortest(probabilities[c]));
    for (std::size_t other = 1; other < predictions.logits.size(); ++other)
      csv +=
          "," + csv_cell(predictions.classes[ranked(sample_logits(predictions, i, other), 1)[0]]);
    csv += "\n";
    progress_made();
  }
  return csv;
}

namespace {

// Of the samples whose class the weights know, how many a classifier finds.
std::optional<double> accuracy_by(const Predictions& predictions, std::size_t classifier) {
  std::int64_t known = 0, correct = 0;
  for (std::size_t i = 0; i < predictions.samples.size(); ++i) {
    if (predictions.targets[i] < 0) continue;
    const std::size_t found = ranked(sample_logits(predictions, i, classifier), 1)[0];
    ++known;
    correct += std::cmp_equal(found, predictions.targets[i]) ? 1 : 0;
    progress_made();
  }
  return share(correct, known);
}

}  // namespace

View predictions_view(const EvaluationTitle& title, const Predictions& predictions) {
  std::vector<ClassCounts> counts(predictions.classes.size());
  std::int64_t known = 0, correct = 0, among_five = 0;
  for (std::size_t i = 0; i < predictions.samples.size(); ++i) {
    progress_made();
    if (predictions.targets[i] < 0) continue;
    const auto target = static_cast<std::size_t>(predictions.targets[i]);
    const std::vector<std::size_t> order = ranked(sample_logits(predictions, i), 5);
    ++known;
    ++counts[target].samples;
    ++counts[order.front()].predicted;
    correct += order.front() == target ? 1 : 0;
    counts[target].correct += order.front() == target ? 1 : 0;
    among_five += std::ranges::find(order, target) != order.end() ? 1 : 0;
  }
  const auto all = std::ssize(predictions.samples);
  std::string text = concat("predictions of ", title.weights, "\n  for ", grouped(all),
                            " samples (", title.split, ") of ", title.pack, "\n");
  text += remarks_text(title);
  Json json = title_json("predictions", title);
  json.update({{"classifier", title.classifiers.at(0)},
               {"others", Json::array()},
               {"samples", all},
               {"samples_of_known_classes", known},
               {"accuracy", number_or_null(share(correct, known))},
               {"top5", number_or_null(share(among_five, known))},
               {"classes", Json::array()}});
  std::string scored = concat(
      "\naccuracy ", percent(share(correct, known)), " %, among the five likeliest ",
      percent(share(among_five, known)), " %",
      known < all ? concat(", over the ", grouped(known), " samples whose class the weights know")
                  : "",
      "\n\n");
  for (std::size_t i = 1; i < predictions.logits.size(); ++i) {
    const std::optional<double> accuracy = accuracy_by(predictions, i);
    json["others"].push_back(
        {{"classifier", title.classifiers[i]}, {"accuracy", number_or_null(accuracy)}});
    scored += concat("accuracy by ", title.classifiers[i], " ", percent(accuracy), " %\n",
                     i + 1 == predictions.logits.size() ? "\n" : "");
  }
  if (predictions.logits.size() > 1) scored += concat("by ", title.classifiers[0], "\n");
  Rows rows = {{"class", "samples", "precision in %", "recall in %", "F1 in %"}};
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const auto precision = share(counts[c].correct, counts[c].predicted);
    const auto recall = share(counts[c].correct, counts[c].samples);
    rows.push_back({predictions.classes[c], grouped(counts[c].samples), percent(precision),
                    percent(recall), percent(f1(counts[c]))});
    json["classes"].push_back({{"class", predictions.classes[c]},
                               {"samples", counts[c].samples},
                               {"predicted", counts[c].predicted},
                               {"correct", counts[c].correct},
                               {"precision", number_or_null(precision)},
                               {"recall", number_or_null(recall)},
                               {"f1", number_or_null(f1(counts[c]))}});
  }
  if (known == 0)
    scored = "\nnothing is scored: the weights know the class of no sample\n";
  else
    scored += text_table(rows, "lrrrr");
  return {text + scored, dump(json)};
}

}  // namespace palimpsest
