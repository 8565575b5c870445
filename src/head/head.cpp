#include "palimpsest/head/head.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/format/heads.h"

namespace palimpsest {

void HeadType::initialise(const at::Tensor& weight, const at::Tensor& bias, std::uint64_t seed,
                          std::int64_t task) const {
  const c10::NoGradGuard no_grad;
  const double bound = 1 / std::sqrt(static_cast<double>(weight.size(1)));
  std::uint64_t index = 0;
  for (const at::Tensor& parameter : {weight, bias}) {
    at::Tensor values = at::empty(parameter.sizes());
    fill_uniform({values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())},
                 bound,
                 RandomStream(seed, Purpose::kHeadInit, static_cast<std::uint32_t>(task), index++));
    parameter.detach().copy_(values);
  }
}

NeededMemory HeadType::needs(std::int64_t tasks) const {
  const std::string instance = head_instance(recorded_kind(), scale());
  return {.names = names_by_task(instance, tasks, {"weight", "bias"}),
          .settings = concat("heads of ", instance.substr(instance.find('/') + 1)),
          .if_none = "it has no heads",
          .if_other = "logits of both would not compare; keep its --head"};
}

Head HeadType::from_features(const at::Tensor&, std::span<const std::int64_t>, std::int64_t) const {
  throw Error(concat("a ", recorded_kind(), " head is trained, and not made of features"));
}

at::Tensor directions(const at::Tensor& rows) {
  const at::Tensor norms = rows.norm(2, {1}, /*keepdim=*/true);
  return rows.div(norms.masked_fill(norms.eq(0), 1));
}

namespace {

// A record keeps the key `scale` alone; some kinds have none.
std::string kind_text(const Head& head) {
  const std::vector<Kind>& kinds = head_kinds().kinds;
  const auto row = std::ranges::find(kinds, head.kind, &Kind::name);
  const bool has_scale =
      row != kinds.end() &&
      std::ranges::find(row->keys, "scale", &SettingSpec::name) != row->keys.end();
  return has_scale ? concat(head.kind, ":scale=", value_text(head.scale)) : head.kind;
}

}  // namespace

DeviceHead place(const Head& head, at::Device device) {
  std::shared_ptr<const HeadType> kind;
  try {
    kind = head_kinds().make(kind_text(head));
  } catch (const UsageError& error) {
    throw InputError(concat("a recorded head: ", error.what()));
  }
  if (kind->ignores_lengths() &&
      std::ranges::any_of(head.bias, [](float value) { return value != 0; }))
    throw InputError(concat("a recorded head: a ", head.kind, " head with a bias"));
  return {.weight = from_host(head.weight, {head.classes, head.features}, device),
          .bias = from_host(head.bias, {head.classes}, device),
          .kind = std::move(kind)};
}

Head to_record(const DeviceHead& head) {
  return {.classes = head.weight.size(0),
          .features = head.weight.size(1),
          .weight = to_host(head.weight),
          .bias = to_host(head.bias),
          .kind = std::string(head.kind->recorded_kind()),
          .scale = head.kind->scale()};
}

void load_head(const DeviceHead& head, const Head& from) {
  if (from.classes != head.weight.size(0) || from.features != head.weight.size(1)) {
    throw InputError(concat("a head of ", from.classes, " classes and ", from.features,
                            " features: expected ", head.weight.size(0), " and ",
                            head.weight.size(1)));
  }
  head.weight.detach().copy_(from_host(from.weight, head.weight.sizes(), head.weight.device()));
  head.bias.detach().copy_(from_host(from.bias, head.bias.sizes(), head.bias.device()));
}

}  // namespace palimpsest
