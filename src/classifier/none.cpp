// No classifier: the backbone's output layer answers over its vocabulary, and no classes are
// compared.
#include "palimpsest/classifier/classifier.h"

namespace palimpsest {
namespace {

class NoClassifier : public Classifier {
 public:
  using Classifier::Classifier;
  bool compares_classes() const override { return false; }
  bool takes_features() const override { return false; }
  void learn(TaskPasses&, const AdaptedWeights&, const ClassesSeen&, NamedTensors&) const override {
  }
  ClassScores scores(const NamedTensors&, const ClassesSeen&, at::Device) const override {
    return {};
  }
  std::vector<NeededMemory> needs(std::int64_t) const override { return {}; }
  void check(const NamedTensors&, const ClassesSeen&) const override {}
};

}  // namespace

ClassifierKind none_classifier() {
  return {.name = "none",
          .help =
              "No classifier: the backbone's output layer predicts tokens (objective = "
              "next-token). Not in the paper.",
          .make = make_kind<NoClassifier>};
}

}  // namespace palimpsest
