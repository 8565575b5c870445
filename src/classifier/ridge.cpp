// Ridge regression on the features of all tasks, as RanPAC without its projection (McDonnell et
// al., NeurIPS 2023): G = sum f f' and Q = sum y f' over the samples of every task, taken in at its
// own theta_hat_t; the weights of all classes are W = Q (G + lambda I)^-1, and the logits W f.
// lambda is chosen on the newest task's training samples alone: fitted on four of five, it has the
// least squared error on the fifth, among 10^-8, 10^-7, ..., 10^8. One eigendecomposition serves
// all of them. Sums by lane, in float64; one triangle of G and all solving on rank 0.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

constexpr std::string_view kInstance = "classifier/ridge";
constexpr std::int64_t kFolds = 5;  // every fifth sample is kept out to choose lambda

std::string array_name(std::string_view array) { return concat(kInstance, '/', array); }

// Where the upper triangle of [d, d] is in the flat matrix, row by row.
at::Tensor triangle(std::int64_t d, at::Device device) {
  const at::Tensor at = at::triu_indices(d, d, 0, at::TensorOptions(device).dtype(at::kLong));
  return at[0].mul(d).add(at[1]);
}

at::Tensor from_triangle(const at::Tensor& packed, std::int64_t d) {
  at::Tensor full = at::zeros({d * d}, packed.options());
  full.index_copy_(0, triangle(d, packed.device()), packed);
  full = full.view({d, d});
  return full.add(full.triu(1).t());
}

// Sums over samples; on the host, float64.
struct Sums {
  at::Tensor gram;     // the upper triangle of sum f f'
  at::Tensor moments;  // [classes, d], sum y f'
  double samples = 0;

  Sums plus(const Sums& other) const {
    return {gram + other.gram, moments + other.moments, samples + other.samples};
  }
};

// What one task adds: its samples to fit on, and those that are kept out.
struct TaskSums {
  Sums fitted, kept_out;
};

// On rank 0; undefined tensors elsewhere.
TaskSums sum_task(TaskPasses& passes, const AdaptedWeights& weights) {
  const at::Tensor& features = passes.features(weights);
  const Task& task = passes.task();
  const std::int64_t d = features.size(1), classes = std::ssize(task.classes);
  const std::int64_t half = d * (d + 1) / 2 + classes * d + 1;
  const at::Tensor upper = triangle(d, features.device());
  const auto add = [&](const at::Tensor& rows, const at::Tensor& targets,
                       std::span<const std::int64_t> positions, const at::Tensor& sums) {
    const at::Tensor all = rows.to(at::kDouble);
    const at::Tensor labels = at::one_hot(targets, classes).to(at::kDouble);
    for (const bool is_kept_out : {false, true}) {
      std::vector<std::int64_t> chosen;
      for (std::size_t i = 0; i < positions.size(); ++i) {
        if ((positions[i] % kFolds == kFolds - 1) == is_kept_out)
          chosen.push_back(static_cast<std::int64_t>(i));
      }
      if (chosen.empty()) continue;
      const at::Tensor index = queued_copy(at::tensor(chosen), rows.device());
      const at::Tensor f = all.index_select(0, index), y = labels.index_select(0, index);
      at::Tensor part = sums.narrow(0, is_kept_out ? half : 0, half);
      part.add_(at::cat({f.t().mm(f).flatten().index_select(0, upper), y.t().mm(f).flatten(),
                         at::full({1}, static_cast<double>(chosen.size()), f.options())}));
    }
  };
  LaneSum lanes = sum_rows(passes.session(), task, features, 2 * half, add);
  at::Tensor total = lanes.reduce_to_root();
  if (!total.defined()) return {};
  total = total.to(at::kCPU);
  const auto sums_at = [&](std::int64_t first) {
    const at::Tensor part = total.narrow(0, first, half);
    return Sums{.gram = part.narrow(0, 0, upper.size(0)),
                .moments = part.narrow(0, upper.size(0), classes * d).view({classes, d}),
                .samples = part[half - 1].item<double>()};
  };
  return {.fitted = sums_at(0), .kept_out = sums_at(half)};
}

// True where there is nothing, on other ranks than 0.
bool are_finite(const TaskSums& task) {
  return !task.fitted.gram.defined() ||
         task.fitted.plus(task.kept_out).gram.isfinite().all().item<bool>();
}

double mean_diagonal(const at::Tensor& gram) { return gram.diagonal().mean().item<double>(); }

// The squared error on what was kept out is n - 2 <W, Q> + <W G, W>, with G and Q of it.
double chosen_lambda(const TaskSums& task) {
  const std::int64_t d = task.fitted.moments.size(1);
  const at::Tensor gram = from_triangle(task.fitted.gram, d);
  if (task.kept_out.samples == 0 || task.fitted.samples == 0)
    return 0.1 * mean_diagonal(from_triangle(task.fitted.plus(task.kept_out).gram, d));
  const auto [values, vectors] = at::linalg_eigh(gram);
  const at::Tensor fitted = task.fitted.moments.mm(vectors);
  const at::Tensor kept_out = task.kept_out.moments.mm(vectors);
  const at::Tensor metric = vectors.t().mm(from_triangle(task.kept_out.gram, d)).mm(vectors);
  double best = 0, least = HUGE_VAL;
  for (int power = -8; power <= 8; ++power) {
    const double lambda = std::pow(10.0, power);
    const at::Tensor w = fitted.div(values.clamp_min(0) + lambda);
    const double error = task.kept_out.samples - 2 * w.mul(kept_out).sum().item<double>() +
                         w.mm(metric).mul(w).sum().item<double>();
    if (error < least) {
      least = error;
      best = lambda;
    }
  }
  return best;
}

struct Learned {
  Sums all;           // on rank 0
  at::Tensor weight;  // [classes, d] float32; on every rank, on the host
};

// The sums of the tasks before, on the host: of no sample where there was none.
Sums known_sums(const NamedTensors& memory, std::int64_t d) {
  if (!memory.contains(array_name("gram"))) {
    return {.gram = at::zeros({d * (d + 1) / 2}, at::kDouble),
            .moments = at::zeros({0, d}, at::kDouble)};
  }
  const auto& gram = memory.values<double>(array_name("gram"), {d * (d + 1) / 2});
  const auto& moments = memory.values<double>(array_name("moments"), {kAnySize, d});
  return {.gram = at::tensor(gram, at::kDouble),
          .moments = at::tensor(moments, at::kDouble).view({-1, d})};
}

// The task's classes among all.
Sums with_all_classes(const Sums& known, const Sums& task, const ClassesSeen& seen) {
  const std::int64_t first = seen.first(seen.by_task.size() - 1);
  Sums all{.gram = known.gram + task.gram,
           .moments = at::zeros({seen.count(), known.moments.size(1)}, at::kDouble)};
  all.moments.narrow(0, 0, known.moments.size(0)).add_(known.moments);
  all.moments.narrow(0, first, task.moments.size(0)).add_(task.moments);
  return all;
}

Learned learned(TaskPasses& passes, const AdaptedWeights& weights, const ClassesSeen& seen,
                const NamedTensors& memory) {
  const c10::NoGradGuard no_grad;
  Session& session = passes.session();
  const std::int64_t d = session.model->feature_size();
  const TaskSums task = sum_task(passes, weights);
  if (session.group.any(!are_finite(task), "check of the features")) {
    throw DivergedError(concat("task ", passes.task().index + 1,
                               ": features of its training samples are not finite"));
  }
  std::vector<float> weight(static_cast<std::size_t>(seen.count() * d));
  Learned result;
  session.group.work("ridge regression on rank 0", [&] {
    if (!session.is_root()) return;
    result.all = with_all_classes(known_sums(memory, d), task.fitted.plus(task.kept_out), seen);
    const at::Tensor regular = from_triangle(result.all.gram, d) +
                               chosen_lambda(task) * at::eye(d, at::TensorOptions(at::kDouble));
    const at::Tensor solved =
        at::cholesky_solve(result.all.moments.t(), at::linalg_cholesky(regular)).t();
    weight = to_host(solved.to(at::kFloat).contiguous());
  });
  session.group.broadcast(std::span(weight), 0, "broadcast of the classifier");
  result.weight = from_host(weight, {seen.count(), d}, at::kCPU);
  return result;
}

ClassScores linear_scores(const at::Tensor& weight, at::Device device) {
  return
      [weight = weight.to(device)](const at::Tensor& features) { return features.mm(weight.t()); };
}

std::vector<double> to_vector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

class Ridge : public Classifier {
 public:
  using Classifier::Classifier;

  void learn(TaskPasses& passes, const AdaptedWeights& merged, const ClassesSeen& seen,
             NamedTensors& memory) const override {
    const Learned now = learned(passes, merged, seen, memory);
    const std::int64_t classes = now.weight.size(0), d = now.weight.size(1);
    memory.put(array_name("weight"), {.dims = {classes, d}, .values = to_host(now.weight)});
    if (!passes.session().is_root()) return;
    memory.put(
        array_name("gram"),
        {.dims = {d * (d + 1) / 2}, .values = to_vector(now.all.gram), .keeper = Keeper::kRoot});
    memory.put(
        array_name("moments"),
        {.dims = {classes, d}, .values = to_vector(now.all.moments), .keeper = Keeper::kRoot});
  }

  ClassScores scores(const NamedTensors& memory, const ClassesSeen& seen,
                     at::Device device) const override {
    const std::string name = array_name("weight");
    const auto& weight = memory.values<float>(name, {seen.count(), kAnySize});
    return linear_scores(from_host(weight, memory.at(name).dims, at::kCPU), device);
  }

  std::vector<NeededMemory> needs(std::int64_t tasks) const override {
    if (tasks == 0) return {};
    return {needed({array_name("weight"), array_name("gram"), array_name("moments")},
                   "it has not gathered the sums of its tasks, whose data is gone; only a run with "
                   "--classifier ridge does")};
  }

  std::vector<NeededMemory> needs_to_answer(std::int64_t) const override {
    return {needed({array_name("weight")},
                   "only a run with --classifier ridge makes it, at its own merged weights; "
                   "--classifier local answers by the heads")};
  }

  void check(const NamedTensors& memory, const ClassesSeen& seen) const override {
    const std::string weight = array_name("weight");
    if (!memory.contains(weight)) return;
    memory.values<float>(weight, {seen.count(), kAnySize});
    const std::int64_t d = memory.at(weight).dims[1];
    memory.values<double>(array_name("gram"), {d * (d + 1) / 2});
    memory.values<double>(array_name("moments"), {seen.count(), d});
  }

 private:
  static NeededMemory needed(std::vector<std::string> names, const std::string& reason) {
    return {.names = std::move(names),
            .settings = "--classifier ridge",
            .if_none = reason,
            .if_other = reason};
  }
};

}  // namespace

ClassifierKind ridge_classifier() {
  return {.name = "ridge",
          .help =
              "Ridge regression on the features of all tasks, from sums that each leaves "
              "(RanPAC without projection; McDonnell et al., 2023). lambda is chosen on the "
              "newest task's training samples. Not in the paper.",
          .make = make_kind<Ridge>};
}

}  // namespace palimpsest
