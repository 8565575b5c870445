#include "feature_sums.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

constexpr std::int64_t kBlock = 1024;  // rows; they decide the bits of a sum
constexpr std::int64_t kFolds = 5;     // every fifth sample is kept out

}  // namespace

std::string SumsClassifier::array(std::string_view name) const {
  return concat(instance(), '/', name);
}

std::vector<NeededMemory> SumsClassifier::needs(std::int64_t tasks) const {
  if (tasks == 0) return {};
  Names names = answers_from();
  for (const std::string_view name : learns_from()) names.push_back(name);
  return needed(names);
}

std::vector<NeededMemory> SumsClassifier::needs_to_answer(std::int64_t) const {
  return needed(answers_from());
}

std::vector<NeededMemory> SumsClassifier::needed(const Names& names) const {
  NeededMemory needed{
      .names = {},
      .settings = concat("--classifier ", text()),
      .if_none = concat("it has not gathered ", gathers(),
                        ", whose data is gone; only a run with --classifier ", text(), " does"),
      .if_other = {}};
  for (const std::string_view name : names) needed.names.push_back(array(name));
  needed.if_other = needed.if_none;
  return {std::move(needed)};
}

TaskFeatures TaskFeatures::part(bool kept_out) const {
  const at::Tensor position = at::arange(samples(), targets.options());
  const at::Tensor chosen =
      position.remainder(kFolds).eq(kFolds - 1).eq(kept_out).nonzero().flatten();
  return {rows.index_select(0, chosen), targets.index_select(0, chosen), classes};
}

TaskFeatures task_features(TaskPasses& passes, const AdaptedWeights& weights) {
  const c10::NoGradGuard no_grad;
  const Task& task = passes.task();
  const at::Tensor& rows = passes.features(weights);
  if (!rows.isfinite().all().item<bool>()) {  // the same bits on every rank
    throw DivergedError(
        concat("task ", task.index + 1, ": features of its training samples are not finite"));
  }
  return {.rows = rows,
          .targets = queued_copy(at::tensor(task.train.targets), rows.device()),
          .classes = std::ssize(task.classes)};
}

void learn_on_root(TaskPasses& passes, NamedTensors& memory, const std::string& instance,
                   const std::function<void()>& change) {
  const c10::NoGradGuard no_grad;
  Session& session = passes.session();
  session.group.work("classifier on rank 0", [&] {
    if (session.is_root()) change();
  });
  broadcast(session.group, memory, "broadcast of the classifier", instance);
}

void for_each_block(
    const TaskFeatures& task,
    const std::function<void(const at::Tensor& rows, const at::Tensor& labels)>& visit) {
  for (std::int64_t first = 0; first < task.samples(); first += kBlock) {
    const std::int64_t size = std::min(kBlock, task.samples() - first);
    visit(task.rows.narrow(0, first, size).to(at::kDouble),
          at::one_hot(task.targets.narrow(0, first, size), task.classes).to(at::kDouble));
    progress_made();
  }
}

void add_products(const at::Tensor& square, const at::Tensor& rows) {
  constexpr std::int64_t kStripe = 2048;
  const std::int64_t n = square.size(0);
  for (std::int64_t first = 0; first < n; first += kStripe) {
    const std::int64_t size = std::min(kStripe, n - first);
    at::Tensor stripe = square.narrow(0, first, size).narrow(1, first, n - first);
    stripe.addmm_(rows.narrow(1, first, size).t(), rows.narrow(1, first, n - first));
    progress_made();
  }
}

std::vector<double> packed_triangle(const at::Tensor& square) {
  const at::Tensor host = square.to(at::kCPU).contiguous();
  const auto n = static_cast<std::size_t>(host.size(0));
  const std::span all(host.const_data_ptr<double>(), n * n);
  std::vector<double> packed;
  packed.reserve(n * (n + 1) / 2);
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = all.subspan(i * n + i, n - i);
    packed.insert(packed.end(), row.begin(), row.end());
  }
  return packed;
}

at::Tensor unpacked_triangle(std::span<const double> packed, std::int64_t size, at::Device device) {
  at::Tensor square = at::zeros({size, size}, at::kDouble);
  const auto n = static_cast<std::size_t>(size);
  double* const all = square.mutable_data_ptr<double>();
  for (std::size_t i = 0; i < n; ++i) {
    std::ranges::copy(packed.first(n - i), all + i * n + i);
    packed = packed.subspan(n - i);
  }
  return square.to(device);
}

at::Tensor symmetric(const at::Tensor& upper) { return upper.triu().add(upper.triu(1).t()); }

std::vector<double> to_doubles(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kCPU).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

at::Tensor from_doubles(std::span<const double> values, at::IntArrayRef shape) {
  return at::tensor(at::ArrayRef<double>(values.data(), values.size()), at::kDouble).view(shape);
}

ClassMeans class_means(const TaskFeatures& task) {
  const auto zeros = [&](at::IntArrayRef shape) {
    return at::zeros(shape, task.rows.options().dtype(at::kDouble));
  };
  const at::Tensor counts = zeros({task.classes}), sums = zeros({task.classes, task.features()});
  for_each_block(task, [&](const at::Tensor& rows, const at::Tensor& labels) {
    counts.add_(labels.sum(0));
    sums.add_(labels.t().mm(rows));
  });
  const at::Tensor divisors = counts.clamp_min(1).unsqueeze(1);
  return {.counts = counts.to(at::kCPU), .means = sums.div(divisors).to(at::kCPU)};
}

ClassMeans class_means_in(const NamedTensors& memory, const std::string& instance,
                          std::int64_t features) {
  if (!memory.contains(instance + "/mean"))
    return {.counts = at::zeros({0}, at::kDouble), .means = at::zeros({0, features}, at::kDouble)};
  const auto& means = memory.values<double>(instance + "/mean", {kAnySize, features});
  const std::int64_t classes = memory.at(instance + "/mean").dims[0];
  return {.counts = from_doubles(memory.values<double>(instance + "/count", {classes}), {classes}),
          .means = from_doubles(means, {classes, features})};
}

void put_class_means(NamedTensors& memory, const std::string& instance, const ClassMeans& means,
                     Keeper keeper) {
  const std::int64_t classes = means.means.size(0), features = means.means.size(1);
  memory.put(instance + "/count",
             {.dims = {classes}, .values = to_doubles(means.counts), .keeper = keeper});
  memory.put(instance + "/mean",
             {.dims = {classes, features}, .values = to_doubles(means.means), .keeper = keeper});
}

void check_class_means(const NamedTensors& memory, const std::string& instance,
                       const ClassesSeen& seen, std::int64_t features) {
  memory.values<double>(instance + "/mean", {seen.count(), features});
  memory.values<double>(instance + "/count", {seen.count()});
}

ClassMeans joined_means(const ClassMeans& known, const ClassMeans& task, const ClassesSeen& seen) {
  const std::int64_t features = task.means.size(1);
  ClassMeans all{.counts = at::zeros({seen.count()}, at::kDouble),
                 .means = at::zeros({seen.count(), features}, at::kDouble)};
  all.counts.narrow(0, 0, known.counts.size(0)).copy_(known.counts);
  all.means.narrow(0, 0, known.means.size(0)).copy_(known.means);
  const at::Tensor counts = newest_rows(all.counts, seen), means = newest_rows(all.means, seen);
  counts.add_(task.counts);
  const at::Tensor share = task.counts.div(counts.clamp_min(1)).unsqueeze(1);
  means.add_(share.mul(task.means - means));
  const at::Tensor missing = all.counts.eq(0).nonzero().flatten();
  if (missing.numel() > 0) {
    throw Error(concat("class ", missing[0].item<std::int64_t>() + 1, " of all ", seen.count(),
                       " classes seen has no training sample, and so no mean"));
  }
  return all;
}

ClassScores linear_scores(const NamedTensors& memory, const std::string& instance,
                          const ClassesSeen& seen, at::Device device) {
  const std::string name = instance + "/weight";
  const auto& values = memory.values<float>(name, {seen.count(), kAnySize});
  const at::Tensor weight = from_host(values, memory.at(name).dims, device).t();
  if (!memory.contains(instance + "/bias"))
    return [weight](const at::Tensor& features) { return features.mm(weight); };
  const auto& biases = memory.values<float>(instance + "/bias", {seen.count()});
  const at::Tensor bias = from_host(biases, {seen.count()}, device);
  return [weight, bias](const at::Tensor& features) { return at::addmm(bias, features, weight); };
}

std::optional<double> number_or_auto(const KindSettings& settings, std::string_view key) {
  const auto* const number = std::get_if<double>(&settings.value(key));
  return number == nullptr ? std::nullopt : std::optional(*number);
}

}  // namespace palimpsest
