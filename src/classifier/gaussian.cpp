// Every class is normal: means by class, and covariances that are shrunk towards a multiple of I.
// covariance=shared: linear discriminant analysis, with the covariance within classes that all
// share. covariance=class: FeCAM (Goswami et al., NeurIPS 2023) as its authors run it on vision
// transformers.
#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "class_covariance.h"
#include "drift.h"
#include "feature_sums.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

constexpr std::array kShrinkages = {100.0, 10.0, 1.0, 0.1, 0.01, 0.001};

// Mean cross-entropy of the softmax over scores, at the temperature that makes it least: what
// counts is how the scores order the classes, and not how large they are.
double least_cross_entropy(const at::Tensor& scores, const at::Tensor& targets) {
  const at::Tensor centred = scores.sub(scores.mean(1, /*keepdim=*/true));
  const double size = centred.square().mean().sqrt().item<double>();
  double least = std::log(static_cast<double>(scores.size(1)));  // of equal scores
  if (size == 0) return least;
  for (int power = -3; power <= 9; ++power) {
    const at::Tensor logits = centred.mul(std::exp2(power) / size);
    least = std::min(least, at::cross_entropy_loss(logits, targets).item<double>());
  }
  return least;
}

// The shrinkage whose scores on what was kept out have the least cross-entropy over the task's
// classes; of equal ones the largest. 1 where there is nothing to choose by. `counts`: of the
// samples fitted, by class; scores: [samples kept out, classes].
double chosen_shrinkage(const TaskFeatures& kept_out, const at::Tensor& counts,
                        const std::function<at::Tensor(double shrink)>& scores) {
  const at::Tensor is_fitted = counts.gt(0).to(kept_out.targets.device());
  const at::Tensor classes = is_fitted.nonzero().flatten();
  const at::Tensor samples = is_fitted.index_select(0, kept_out.targets).nonzero().flatten();
  if (classes.numel() < 2 || samples.numel() == 0) return 1;
  const at::Tensor place = is_fitted.to(at::kLong).cumsum(0).sub(1);
  const at::Tensor targets = place.index_select(0, kept_out.targets.index_select(0, samples));
  double best = 1, least = HUGE_VAL;
  for (const double shrink : kShrinkages) {
    const at::Tensor all = scores(shrink).index_select(1, classes).index_select(0, samples);
    const double loss = least_cross_entropy(all, targets);
    if (loss < least) {
      least = loss;
      best = shrink;
    }
    progress_made();
  }
  return best;
}

// The upper triangle of the sum of (f - mean)(f - mean)', where the model is.
at::Tensor scatter_within(const TaskFeatures& task, const ClassMeans& of_classes) {
  const std::int64_t width = task.features();
  const at::Tensor scatter = at::zeros({width, width}, task.rows.options().dtype(at::kDouble));
  const at::Tensor means = of_classes.means.to(task.rows.device());
  for_each_block(task, [&](const at::Tensor& rows, const at::Tensor& labels) {
    add_products(scatter, rows.sub(labels.mm(means)));
  });
  return scatter;
}

// Between the means of a class before the task and in it.
at::Tensor scatter_between(const ClassMeans& known, const ClassMeans& own) {
  const at::Tensor both = known.counts.add(own.counts).clamp_min(1);
  const at::Tensor weights = known.counts.mul(own.counts).div(both).sqrt().unsqueeze(1);
  const at::Tensor rows = own.means.sub(known.means).mul(weights);
  return rows.t().mm(rows);
}

// S, over the samples that a class has besides its first.
at::Tensor covariance_from(const at::Tensor& scatter, const at::Tensor& counts) {
  const double divisor = counts.sub(1).clamp_min(0).sum().clamp_min(1).item<double>();
  return symmetric(scatter).div(divisor);
}

// 0 where the samples of a class don't vary.
double mean_variance(const at::Tensor& covariance, const at::Tensor& means) {
  const double mean = covariance.diagonal().mean().item<double>();
  return mean > kLeastVariance * means.square().mean().item<double>() ? mean : 0;
}

double shared_shrinkage(const TaskFeatures& task) {
  const TaskFeatures fitted = task.fitted(), kept_out = task.kept_out();
  const ClassMeans known = class_means(fitted);
  const at::Tensor covariance = covariance_from(scatter_within(fitted, known), known.counts);
  const double mean = mean_variance(covariance, known.means);
  if (mean == 0) return 1;
  const auto [values, vectors] = at::linalg_eigh(covariance);
  const at::Tensor means = known.means.to(vectors.device()).mm(vectors);
  const at::Tensor rows = kept_out.rows.to(at::kDouble).mm(vectors);
  const at::Tensor centre = means.mean(0, /*keepdim=*/true);
  return chosen_shrinkage(kept_out, known.counts, [&](double shrink) {
    const at::Tensor w = means.sub(centre).div(values.clamp_min(0).add(shrink * mean));
    return rows.mm(w.t()).sub(means.add(centre).mul(w).sum(1).mul(0.5));
  });
}

double class_shrinkage(const TaskFeatures& task) {
  const TaskFeatures fitted = task.fitted(), kept_out = task.kept_out();
  const ClassMeans known = class_means(fitted);
  const std::vector<LowRankCovariance> covariances = class_covariances(fitted, known);
  const at::Tensor rows = kept_out.rows.to(at::kDouble);
  return chosen_shrinkage(kept_out, known.counts, [&](double shrink) {
    return CorrelationDistances(covariances, known.means, shrink, rows.options())(rows);
  });
}

// f S^-1 mu - mu' S^-1 mu / 2 up to what all classes share: with the mean of all means in the place
// of 0, since float32 keeps differences between classes better in small numbers.
struct LinearScores {
  at::Tensor weight, bias;
};
LinearScores discriminants(const at::Tensor& covariance, const at::Tensor& means, double shrink) {
  const double mean = mean_variance(covariance, means);
  const at::Tensor identity = at::eye(covariance.size(0), covariance.options());
  const at::Tensor shrunk = mean > 0 ? covariance.add(identity, shrink * mean) : identity;
  const at::Tensor centre = means.mean(0, /*keepdim=*/true);
  const at::Tensor weight =
      at::cholesky_solve(means.sub(centre).t(), at::linalg_cholesky(shrunk)).t();
  return {.weight = weight, .bias = means.add(centre).mul(weight).sum(1).mul(-0.5)};
}

class Gaussian : public SumsClassifier {
 public:
  explicit Gaussian(const KindSettings& settings)
      : SumsClassifier(settings),
        by_class_(settings.word("covariance") == "class"),
        shrink_(number_or_auto(settings, "shrink")),
        follows_drift_(settings.word("drift") == "linear") {}

  bool takes_features_before() const override { return follows_drift_; }

  void learn(TaskPasses& passes, const AdaptedWeights& merged, const ClassesSeen& seen,
             NamedTensors& memory) const override {
    const AdaptedWeights& begun = passes.before();
    const bool stays = begun != nullptr && *begun == *merged;
    const bool has_drifted = follows_drift_ && seen.by_task.size() > 1 && !stays;
    const at::Tensor before = has_drifted ? passes.features_before() : at::Tensor();
    TaskFeatures task = task_features(passes, merged);
    learn_on_root(passes, memory, instance(), [&] {
      if (has_drifted) follow_drift(drift_map(before, task.rows), memory);
      if (by_class_) task.rows = directions(task.rows);
      const ClassMeans known = class_means_in(memory, instance(), task.features());
      const ClassMeans own = class_means(task), all = joined_means(known, own, seen);
      by_class_ ? learn_classes(task, known, own, seen, memory)
                : learn_shared(task, known, own, all, seen, memory);
      put_class_means(memory, instance(), all, by_class_ ? Keeper::kEveryRank : Keeper::kRoot);
    });
  }

  ClassScores scores(const NamedTensors& memory, const ClassesSeen& seen,
                     at::Device device) const override {
    if (!by_class_) return linear_scores(memory, instance(), seen, device);
    const std::int64_t features = memory.at(array("mean")).dims.at(1);
    check(memory, seen);
    const ClassMeans known = class_means_in(memory, instance(), features);
    const auto& shrink = memory.values<double>(array("shrink"), {1});
    const CorrelationDistances distances(class_covariances_in(memory, instance(), features),
                                         known.means, shrink[0],
                                         at::TensorOptions(device).dtype(at::kFloat));
    return [distances](const at::Tensor& rows) { return distances(directions(rows)); };
  }

  void check(const NamedTensors& memory, const ClassesSeen& seen) const override {
    if (!memory.contains(array("mean"))) return;
    memory.values<double>(array("mean"), {seen.count(), kAnySize});
    const std::int64_t features = memory.at(array("mean")).dims[1];
    check_class_means(memory, instance(), seen, features);
    if (by_class_) {
      memory.values<double>(array("rest"), {seen.count()});
      memory.values<double>(array("shrink"), {1});
      class_covariances_in(memory, instance(), features);
    } else {
      memory.values<float>(array("weight"), {seen.count(), features});
      memory.values<float>(array("bias"), {seen.count()});
      memory.values<double>(array("scatter"), {features * (features + 1) / 2});
    }
  }

  ClassifierCost cost(const LearnedSamples& of) const override {
    const auto width = static_cast<double>(of.features), seen = static_cast<double>(of.seen);
    const auto samples = static_cast<double>(of.samples);
    const double means = sizeof(double) * seen * width;
    if (!by_class_) {
      const double square = sizeof(double) * width * width;
      return {.kept_on_root = means + square / 2,
              .kept_everywhere = sizeof(float) * seen * width,
              .at_work = 4 * square + 3 * means,
              .operations = width * width * (2 * samples + 10 * width + 2 * seen)};
    }
    const double directions = std::min<double>(kCovarianceRank, width);
    const double factors = seen * width * directions;
    return {.kept_on_root = 0,
            .kept_everywhere = sizeof(float) * factors + means,
            .at_work = 2 * sizeof(double) * factors,
            .operations = 4 * samples * width * std::min(samples, width)};
  }

 private:
  std::vector<std::string_view> answers_from() const override {
    if (!by_class_) return {"weight", "bias"};
    std::vector<std::string_view> names = class_covariance_arrays();
    names.insert(names.end(), {"mean", "count", "shrink"});
    return names;
  }
  std::vector<std::string_view> learns_from() const override {
    if (by_class_) return {};
    return {"mean", "count", "scatter"};
  }
  std::string_view gathers() const override { return "the means and covariances of its classes"; }

  // On rank 0, as what follows: the statistics of the tasks before go where their features went.
  void follow_drift(const at::Tensor& map, NamedTensors& memory) const {
    const std::int64_t width = map.size(0);
    const ClassMeans known = class_means_in(memory, instance(), width);
    put_class_means(memory, instance(), moved(known, map),
                    by_class_ ? Keeper::kEveryRank : Keeper::kRoot);
    if (by_class_) {
      put_class_covariances(memory, instance(),
                            moved(class_covariances_in(memory, instance(), width), map));
      return;
    }
    const TensorDims packed = {width * (width + 1) / 2};
    const auto& scatter = memory.values<double>(array("scatter"), packed);
    const at::Tensor square = symmetric(unpacked_triangle(scatter, width, map.device()));
    memory.put(array("scatter"), {.dims = packed,
                                  .values = packed_triangle(moved_covariance(square, map)),
                                  .keeper = Keeper::kRoot});
  }

  void learn_shared(const TaskFeatures& task, const ClassMeans& known, const ClassMeans& own,
                    const ClassMeans& all, const ClassesSeen& seen, NamedTensors& memory) const {
    const at::Device device = task.rows.device();
    const std::int64_t width = task.features();
    at::Tensor scatter = scatter_within(task, own);
    const TensorDims packed = {width * (width + 1) / 2};
    if (memory.contains(array("scatter"))) {
      scatter.add_(
          unpacked_triangle(memory.values<double>(array("scatter"), packed), width, device));
      if (seen.shared) scatter.add_(scatter_between(known, own).to(device));
    }
    memory.put(array("scatter"),
               {.dims = packed, .values = packed_triangle(scatter), .keeper = Keeper::kRoot});
    const auto [weight, bias] =
        discriminants(covariance_from(scatter, all.counts), all.means.to(device),
                      shrink_ ? *shrink_ : shared_shrinkage(task));
    memory.put(array("weight"), {.dims = weight.sizes().vec(),
                                 .values = to_host(weight.to(at::kFloat).contiguous())});
    memory.put(array("bias"), {.dims = bias.sizes().vec(), .values = to_host(bias.to(at::kFloat))});
  }

  void learn_classes(const TaskFeatures& task, const ClassMeans& known, const ClassMeans& own,
                     const ClassesSeen& seen, NamedTensors& memory) const {
    put_class_covariances(
        memory, instance(),
        joined_covariances(class_covariances_in(memory, instance(), task.features()), known,
                           class_covariances(task, own), own, seen));
    memory.put(array("shrink"),
               {.dims = {1}, .values = std::vector{shrink_ ? *shrink_ : class_shrinkage(task)}});
  }

  bool by_class_;
  std::optional<double> shrink_;  // none: chosen
  bool follows_drift_;
};

}  // namespace

ClassifierKind gaussian_classifier() {
  return {
      .name = "gaussian",
      .help =
          "A normal distribution for each class's features (linear discriminant analysis; FeCAM, "
          "Goswami et al., 2023). Not in the paper.",
      .keys =
          {{.name = "covariance",
            .type = Type::kWord,
            .default_value = std::string("shared"),
            .choices = {"shared", "class"},
            .help =
                "shared: one covariance for all classes, on the features as they are; the scores "
                "are then linear. class: one for each class, on features of length 1 (FeCAM)."},
           {.name = "shrink",
            .type = Type::kNumber,
            .default_value = std::string("auto"),
            .minimum = 1e-6,
            .maximum = 1e6,
            .choices = {"auto"},
            .help = "Shrinkage: this number times the mean of the covariance's diagonal is added "
                    "to the diagonal. auto: the power of ten from 0.001 to 100 with the best "
                    "accuracy on every fifth training sample of the newest task."},
           {.name = "drift",
            .type = Type::kWord,
            .default_value = std::string("none"),
            .choices = {"none", "linear"},
            .help = "linear: fit a linear map from the features before the newest task to those "
                    "after it, and apply it to means and covariances of old classes (SLDC; Rao et "
                    "al., 2026)."}},
      .make = make_kind<Gaussian>,
      .other_names = {
          {"lda", "gaussian"}, {"slda", "gaussian"}, {"fecam", "gaussian:covariance=class"}}};
}

}  // namespace palimpsest
