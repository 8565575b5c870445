// Nearest class mean by cosine, on the features of each task's own theta_hat_t (SimpleCIL; Zhou et
// al., IJCV 2024, on a backbone that stays as it is pretrained).
#include <ATen/ATen.h>

#include "feature_sums.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

class ClassMeanCosines : public SumsClassifier {
 public:
  using SumsClassifier::SumsClassifier;

  void learn(TaskPasses& passes, const AdaptedWeights& merged, const ClassesSeen& seen,
             NamedTensors& memory) const override {
    const TaskFeatures task = task_features(passes, merged);
    learn_on_root(passes, memory, instance(), [&] {
      const ClassMeans all = joined_means(class_means_in(memory, instance(), task.features()),
                                          class_means(task), seen);
      put_class_means(memory, instance(), all, Keeper::kRoot);
      memory.put(weight(), {.dims = all.means.sizes().vec(),
                            .values = to_host(directions(all.means).to(at::kFloat))});
    });
  }

  ClassScores scores(const NamedTensors& memory, const ClassesSeen& seen,
                     at::Device device) const override {
    return [linear = linear_scores(memory, instance(), seen, device)](const at::Tensor& features) {
      return linear(directions(features));
    };
  }

  void check(const NamedTensors& memory, const ClassesSeen& seen) const override {
    if (!memory.contains(weight())) return;
    memory.values<float>(weight(), {seen.count(), kAnySize});
    check_class_means(memory, instance(), seen, memory.at(weight()).dims[1]);
  }

  ClassifierCost cost(const LearnedSamples& of) const override {
    const double numbers = static_cast<double>(of.seen) * static_cast<double>(of.features);
    return {.kept_on_root = sizeof(double) * numbers,
            .kept_everywhere = sizeof(float) * numbers,
            .at_work = 2 * sizeof(double) * numbers,
            .operations = 2 * static_cast<double>(of.samples) * numbers};
  }

 private:
  std::string weight() const { return array("weight"); }  // class means of length 1

  std::vector<std::string_view> answers_from() const override { return {"weight"}; }
  std::vector<std::string_view> learns_from() const override { return {"mean", "count"}; }
  std::string_view gathers() const override { return "the means of its classes"; }
};

}  // namespace

ClassifierKind prototype_classifier() {
  return {.name = "prototype",
          .help =
              "The cosine of the features and each class's mean (SimpleCIL; Zhou et al., 2024). "
              "Not in the paper.",
          .make = make_kind<ClassMeanCosines>,
          .other_names = {{"ncm", "prototype"}, {"nearest-mean", "prototype"}}};
}

}  // namespace palimpsest
