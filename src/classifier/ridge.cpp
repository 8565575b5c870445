// Ridge regression on the features of all tasks (RanPAC; McDonnell et al., NeurIPS 2023): with h =
// f, or h = ReLU(f R) for random normal numbers R, G = sum h h' and Q = sum y h' over the samples
// of every task, taken in at its own theta_hat_t; the weights of all classes are W = Q (G + lambda
// I)^-1, and the logits W h. lambda=auto is RanPAC's rule: on the newest task's training samples
// alone, fitted on four of five, it has the least squared error on the fifth, among 10^-8, 10^-7,
// ..., 10^8.
#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <limits>

#include "feature_sums.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

constexpr int kLeastPower = -8, kGreatestPower = 8;  // of 10, for lambda

// f, or ReLU(f R). R is drawn again where it is used.
struct HiddenLayer {
  at::Tensor projection;  // R [features, width]; undefined: none

  at::Tensor operator()(const at::Tensor& features) const {
    return projection.defined() ? features.mm(projection).relu_() : features;
  }
};

at::Tensor normal_numbers(std::uint64_t seed, at::IntArrayRef shape, at::Device device) {
  at::Tensor values = at::empty(shape);
  fill_normal({values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())},
              RandomStream(seed, Purpose::kProjection, 0, 0));
  return values.to(device);
}

// lambda = 10^-8, ..., 10^8: the squared errors on what was kept out, added up by blocks.
class LambdaErrors {
 public:
  // Predictions for rows [rows, basis] are rows diag(1 / (values + lambda)) targets.
  void add(const at::Tensor& rows, const at::Tensor& values, const at::Tensor& targets,
           const at::Tensor& labels) {
    for (std::size_t i = 0; i < errors_.size(); ++i) {
      const at::Tensor w = targets.div(values.add(lambda(i)).unsqueeze(1));
      errors_[i] += labels.sub(rows.mm(w)).square().sum().item<double>();
    }
  }

  double best() const {
    return lambda(static_cast<std::size_t>(std::ranges::min_element(errors_) - errors_.begin()));
  }

 private:
  static double lambda(std::size_t i) { return std::pow(10.0, kLeastPower + static_cast<int>(i)); }

  std::array<double, kGreatestPower - kLeastPower + 1> errors_ = {};
};

// One eigendecomposition serves all candidates: of G, or of the samples' products with one another
// where the samples are fewer than the features.
double chosen_lambda(const TaskFeatures& task) {
  const TaskFeatures fitted = task.fitted(), kept_out = task.kept_out();
  const auto options = task.rows.options().dtype(at::kDouble);
  const std::int64_t width = task.features();
  if (kept_out.samples() == 0)  // a tenth of the mean of G's diagonal
    return 0.1 * task.rows.to(at::kDouble).square().sum().item<double>() /
           static_cast<double>(width);
  at::Tensor values, basis, targets;  // basis: [width, eigenvalues]
  if (fitted.samples() < width) {
    const at::Tensor rows = fitted.rows.to(at::kDouble);
    const at::Tensor products = at::zeros({fitted.samples(), fitted.samples()}, options);
    products.addmm_(rows, rows.t());
    const auto [squares, vectors] = at::linalg_eigh(products);
    values = squares;
    targets = vectors.t().mm(at::one_hot(fitted.targets, task.classes).to(at::kDouble));
    basis = rows.t().mm(vectors);
  } else {
    const at::Tensor gram = at::zeros({width, width}, options);
    const at::Tensor moments = at::zeros({width, task.classes}, options);
    for_each_block(fitted, [&](const at::Tensor& rows, const at::Tensor& labels) {
      add_products(gram, rows);
      moments.addmm_(rows.t(), labels);
    });
    const auto [squares, vectors] = at::linalg_eigh(gram, "U");
    values = squares;
    targets = vectors.t().mm(moments);
    basis = vectors;
  }
  progress_made();
  values = values.clamp_min(0);
  LambdaErrors errors;
  for_each_block(kept_out, [&](const at::Tensor& rows, const at::Tensor& labels) {
    errors.add(rows.mm(basis), values, targets, labels);
  });
  return errors.best();
}

// W [classes, width] from the upper triangle of G, which is lost. Undefined where rounding leaves
// G + lambda I without a Cholesky decomposition.
at::Tensor solve(const at::Tensor& gram, const at::Tensor& moments, double lambda) {
  gram.diagonal().add_(lambda);
  at::Tensor lower = gram.t(), info = at::empty({}, gram.options().dtype(at::kInt));
  at::linalg_cholesky_ex_out(lower, info, lower);  // in place: at 10,000 features it has 800 MB
  progress_made();
  if (info.item<int>() != 0) return {};
  const at::Tensor half = at::linalg_solve_triangular(lower, moments.t(), /*upper=*/false);
  return at::linalg_solve_triangular(lower.t(), half, /*upper=*/true).t();
}

class Ridge : public SumsClassifier {
 public:
  explicit Ridge(const KindSettings& settings)
      : SumsClassifier(settings),
        projection_(settings.whole("projection")),
        lambda_(number_or_auto(settings, "lambda")) {}

  void learn(TaskPasses& passes, const AdaptedWeights& merged, const ClassesSeen& seen,
             NamedTensors& memory) const override {
    const TaskFeatures features = task_features(passes, merged);
    learn_on_root(passes, memory, instance(), [&] {
      if (projection_ > 0 && !memory.contains(array("projection"))) {
        const auto seed = static_cast<std::int64_t>(passes.session().config.seed);
        memory.put(array("projection"),
                   {.dims = {2}, .values = std::vector{seed, features.features()}});
      }
      TaskFeatures hidden = features;
      hidden.rows = hidden_layer(memory, features.rows.device())(features.rows);
      add_up(hidden, seen, memory);
      put_weight(passes, hidden, seen, memory);
    });
  }

  ClassScores scores(const NamedTensors& memory, const ClassesSeen& seen,
                     at::Device device) const override {
    const ClassScores linear = linear_scores(memory, instance(), seen, device);
    if (projection_ == 0) return linear;
    return [hidden = hidden_layer(memory, device), linear](const at::Tensor& features) {
      return linear(hidden(features));
    };
  }

  void check(const NamedTensors& memory, const ClassesSeen& seen) const override {
    if (!memory.contains(array("weight"))) return;
    memory.values<float>(array("weight"), {seen.count(), projection_ > 0 ? projection_ : kAnySize});
    const std::int64_t width = memory.at(array("weight")).dims[1];
    memory.values<double>(array("gram"), {width * (width + 1) / 2});
    memory.values<double>(array("moments"), {seen.count(), width});
    if (projection_ > 0) memory.values<std::int64_t>(array("projection"), {2});
  }

  // Of G and Q; two copies of them before a merge. One square matrix, and the expanded samples in
  // float32 and those fitted in float64.
  ClassifierCost cost(const LearnedSamples& of) const override {
    const double width = static_cast<double>(projection_ > 0 ? projection_ : of.features);
    const auto samples = static_cast<double>(of.samples), seen = static_cast<double>(of.seen);
    const double fitted = std::min(samples, width), cube = fitted * fitted * fitted;
    const double kept = sizeof(double) * (width * width / 2 + seen * width);
    const double projected =
        projection_ > 0 ? sizeof(float) * width * (static_cast<double>(of.features) + samples) : 0;
    return {.kept_on_root = kept,
            .kept_everywhere = sizeof(float) * seen * width,
            .at_work = kept + sizeof(double) * width * (width + 2 * fitted) + projected,
            .operations = 2 * samples * static_cast<double>(of.features) * width +
                          samples * width * (width + 4 * fitted) + 9 * cube +
                          width * width * (width / 3 + 2 * seen)};
  }

 private:
  std::vector<std::string_view> answers_from() const override {
    if (projection_ == 0) return {"weight"};
    return {"weight", "projection"};
  }
  std::vector<std::string_view> learns_from() const override { return {"gram", "moments"}; }
  std::string_view gathers() const override { return "the sums of its tasks"; }

  HiddenLayer hidden_layer(const NamedTensors& memory, at::Device device) const {
    if (projection_ == 0) return {};
    const auto& drawn = memory.values<std::int64_t>(array("projection"), {2});
    return {normal_numbers(static_cast<std::uint64_t>(drawn[0]), {drawn[1], projection_}, device)};
  }

  // The task's sums to those of the tasks before. On rank 0.
  void add_up(const TaskFeatures& hidden, const ClassesSeen& seen, NamedTensors& memory) const {
    const at::Device device = hidden.rows.device();
    const std::int64_t width = hidden.features();
    const TensorDims packed = {width * (width + 1) / 2}, dims = {seen.count(), width};
    const at::Tensor moments = at::zeros(dims, at::TensorOptions(device).dtype(at::kDouble));
    const bool is_first = !memory.contains(array("gram"));
    const at::Tensor gram =
        is_first ? at::zeros({width, width}, moments.options())
                 : unpacked_triangle(memory.take<double>(array("gram"), packed), width, device);
    if (!is_first) {
      const auto& known = memory.values<double>(array("moments"), {kAnySize, width});
      const at::Tensor rows = from_doubles(known, memory.at(array("moments")).dims);
      moments.narrow(0, 0, rows.size(0)).copy_(rows);
    }
    const at::Tensor of_task = newest_rows(moments, seen);
    for_each_block(hidden, [&](const at::Tensor& rows, const at::Tensor& labels) {
      add_products(gram, rows);
      of_task.addmm_(labels.t(), rows);
    });
    memory.put(array("gram"),
               {.dims = packed, .values = packed_triangle(gram), .keeper = Keeper::kRoot});
    memory.put(array("moments"),
               {.dims = dims, .values = to_doubles(moments), .keeper = Keeper::kRoot});
  }

  void put_weight(const TaskPasses& passes, const TaskFeatures& hidden, const ClassesSeen& seen,
                  NamedTensors& memory) const {
    const at::Device device = hidden.rows.device();
    const std::int64_t width = hidden.features();
    const auto& packed = memory.values<double>(array("gram"), {width * (width + 1) / 2});
    const TensorDims dims = {seen.count(), width};
    const at::Tensor moments =
        from_doubles(memory.values<double>(array("moments"), dims), dims).to(device);
    const double mean_diagonal = diagonal_sum(packed, width) / static_cast<double>(width);
    const double chosen = lambda_ ? *lambda_ * mean_diagonal : chosen_lambda(hidden);
    double lambda = mean_diagonal > 0 ? chosen : 1;  // without features any lambda gives 0
    at::Tensor weight;
    while (true) {
      weight = solve(unpacked_triangle(packed, width, device), moments, lambda);
      if (weight.defined()) break;
      lambda = next_power(lambda);
    }
    if (lambda != chosen && mean_diagonal > 0) {
      passes.session().events.publish(Remark{
          .task = static_cast<int>(passes.task().index),
          .text =
              concat("classifier ", text(), ": lambda is ", shortest(lambda), " and not ",
                     shortest(chosen), ", with which rounding leaves no Cholesky decomposition")});
    }
    memory.put(array("weight"),
               {.dims = dims, .values = to_host(weight.to(at::kFloat).contiguous())});
  }

  static double diagonal_sum(std::span<const double> packed, std::int64_t width) {
    double sum = 0;
    for (std::size_t at = 0; width > 0; at += static_cast<std::size_t>(width--)) sum += packed[at];
    return sum;
  }

  // The next larger power of 10. Throws Error where there is none.
  static double next_power(double lambda) {
    constexpr double kGreatest = 1e300;
    if (!(lambda < kGreatest))
      throw Error("ridge regression: the sums of the features' products have no decomposition");
    const double power =
        std::floor(std::log10(std::max(lambda, std::pow(10.0, kLeastPower - 1))) + 1e-9);
    return std::pow(10.0, power + 1);
  }

  std::int64_t projection_;       // M; 0: none
  std::optional<double> lambda_;  // over the mean of G's diagonal; none: chosen
};

}  // namespace

ClassifierKind ridge_classifier() {
  return {
      .name = "ridge",
      .help =
          "Ridge regression on the features of all tasks, from sums that are gathered task by "
          "task (RanPAC; McDonnell et al., 2023). Not in the paper.",
      .keys = {{.name = "projection",
                .type = Type::kWhole,
                .default_value = 0u,
                .minimum = 0,
                .maximum = 30000,
                .help = "Number of random features, ReLU of a random projection, that replace "
                        "the backbone's features. 0: none."},
               {.name = "lambda",
                .type = Type::kNumber,
                .default_value = std::string("auto"),
                .minimum = 0,
                .maximum = 1e6,
                .above_minimum = true,
                .choices = {"auto"},
                .help =
                    "Strength: this number times the mean of the Gram matrix's diagonal is added "
                    "to the diagonal. auto: the power of ten from 1e-8 to 1e8, added as it is, "
                    "with the best accuracy on every fifth training sample of the newest task."}},
      .make = make_kind<Ridge>,
      .other_names = {{"ranpac", "ridge:projection=10000"}}};
}

}  // namespace palimpsest
