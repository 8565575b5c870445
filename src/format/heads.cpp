#include "palimpsest/format/heads.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

Head head_at(const NamedTensors& memory, const std::string& place) {
  Head head;
  const TensorDims& dims = memory.at(place + "/weight").dims;
  head.weight = memory.values<float>(place + "/weight", {kAnySize, kAnySize});
  head.classes = dims[0];
  head.features = dims[1];
  head.bias = memory.values<float>(place + "/bias", {head.classes});
  const std::string_view instance = instance_name(place);
  constexpr std::string_view kScale = ":scale=";
  const std::string_view settings = instance.substr(instance.find('/') + 1);
  const std::size_t colon = settings.find(kScale);
  head.kind = settings.substr(0, colon);
  if (colon == std::string_view::npos) return head;
  const std::string_view scale = settings.substr(colon + kScale.size());
  const auto found = number_in<double>(scale);
  if (!found)
    throw Error(concat(instance, ": expected a number as the scale, found \"", scale, '"'));
  head.scale = *found;
  return head;
}

bool is_linear(const Head& head) { return head.kind == Head().kind; }

std::string norm_name(std::string_view classifier, std::size_t task) {
  return concat("classifier/", classifier, '/', task, "/norm");
}

}  // namespace

bool shares_head(std::string_view scenario) {
  const auto known = choice<Scenario>(scenario);
  return known && shares_head(*known);
}

std::span<const Head> heads_in_use(std::string_view scenario, std::span<const Head> heads) {
  return shares_head(scenario) && !heads.empty() ? heads.last(1) : heads;
}

Head joined(std::span<const Head> heads) {
  Head all = heads.front();
  for (const Head& head : heads.subspan(1)) {
    if (head.kind != all.kind || head.scale != all.scale || head.features != all.features) {
      throw Error(concat("a ", head.kind, " head of scale ", head.scale, " on ", head.features,
                         " features beside a ", all.kind, " one of scale ", all.scale, " on ",
                         all.features, ": their logits don't compare"));
    }
    all.classes += head.classes;
    all.weight.insert(all.weight.end(), head.weight.begin(), head.weight.end());
    all.bias.insert(all.bias.end(), head.bias.begin(), head.bias.end());
  }
  return all;
}

std::string heads_hash(std::span<const Head> heads) {
  Sha256 hash;
  for (const Head& head : heads) {
    hash.update(std::as_bytes(std::span(head.weight)));
    hash.update(std::as_bytes(std::span(head.bias)));
  }
  return hash.hex();
}

std::string head_instance(std::string_view kind, double scale) {
  return concat("head/", kind, kind == Head().kind ? "" : ":scale=" + shortest(scale));
}

std::vector<Head> heads_in(const NamedTensors& memory) {
  std::vector<Head> heads;
  for (const std::string& place : places_by_task(memory, "head"))
    heads.push_back(head_at(memory, place));
  return heads;
}

std::vector<Head> heads_in(const NamedTensors& memory, std::string_view own) {
  std::vector<Head> heads = heads_in(memory);
  for (std::size_t task = 0; task < heads.size(); ++task) {
    Head& head = heads[task];
    const std::string place = concat(own, '/', task);
    if (!memory.contains(place + "/weight")) continue;
    head.weight = memory.values<float>(place + "/weight", {head.classes, head.features});
    head.bias = memory.values<float>(place + "/bias", {head.classes});
  }
  return heads;
}

bool answers_by_heads(const NamedTensors& memory, std::string_view classifier) {
  const std::vector<std::string> names = memory.names(concat("classifier/", classifier));
  return std::ranges::none_of(
      names, [](const std::string& name) { return std::ranges::count(name, '/') == 2; });
}

std::vector<Head> answering_heads(const NamedTensors& memory, std::string_view classifier) {
  std::vector<Head> heads = heads_in(memory, concat("classifier/", classifier));
  for (std::size_t task = 0; task < heads.size(); ++task) {
    const std::string name = norm_name(classifier, task);
    if (!is_linear(heads[task]) || !memory.contains(name)) continue;
    const float norm = memory.values<float>(name, {1})[0];
    for (float& value : heads[task].weight) value /= norm;
    for (float& value : heads[task].bias) value /= norm;
  }
  return heads;
}

bool lack_norms(const NamedTensors& memory, std::string_view classifier) {
  return memory.contains(norm_name(classifier, 0)) && !is_linear(heads_in(memory).front());
}

std::optional<std::vector<Head>> linear_heads(const NamedTensors& memory,
                                              std::string_view classifier) {
  if (answers_by_heads(memory, classifier)) return answering_heads(memory, classifier);
  const std::string own = concat("classifier/", classifier);
  if (memory.contains(own + "/projection") || !memory.contains(own + "/weight"))
    return std::nullopt;
  std::vector<Head> heads = heads_in(memory);
  std::int64_t classes = 0;
  for (const Head& head : heads) classes += head.classes;
  const std::int64_t features = heads.front().features,
                     answered = memory.at(own + "/weight").dims[0];
  if (answered != classes) {  // of all tasks the same
    heads.erase(heads.begin(), heads.end() - 1);
    classes = heads.front().classes;
  }
  const std::vector<float>& weight = memory.values<float>(own + "/weight", {classes, features});
  std::vector<float> bias(static_cast<std::size_t>(classes));
  if (memory.contains(own + "/bias")) bias = memory.values<float>(own + "/bias", {classes});
  auto next_weight = weight.begin();
  auto next_bias = bias.begin();
  for (Head& head : heads) {
    const auto weights_end = next_weight + head.classes * features;
    const auto biases_end = next_bias + head.classes;
    head = {.classes = head.classes,
            .features = features,
            .weight = {next_weight, weights_end},
            .bias = {next_bias, biases_end}};
    next_weight = weights_end;
    next_bias = biases_end;
  }
  return heads;
}

void put_head(NamedTensors& memory, std::int64_t task, Head head) {
  const std::string instance = head_instance(head.kind, head.scale);
  put_head(memory, instance, task, std::move(head));
}

void put_head(NamedTensors& memory, std::string_view own, std::int64_t task, Head head) {
  const std::string place = concat(own, '/', task);
  memory.put(place + "/weight",
             {.dims = {head.classes, head.features}, .values = std::move(head.weight)});
  memory.put(place + "/bias", {.dims = {head.classes}, .values = std::move(head.bias)});
}

void put_heads(NamedTensors& memory, std::vector<Head> heads) {
  memory.erase("head");
  for (std::size_t task = 0; task < heads.size(); ++task) {
    if (heads[task].classes > 0)
      put_head(memory, static_cast<std::int64_t>(task), std::move(heads[task]));
  }
}

}  // namespace palimpsest
