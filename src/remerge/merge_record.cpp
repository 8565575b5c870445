#include "palimpsest/remerge/merge_record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/task_vector.h"

namespace palimpsest {
namespace {

// RULE[:key=value,...] of a rule's JSON; "" of anything else.
std::string rule_text(const nlohmann::json& json) {
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string()) return "";
  std::string text = json["name"].get<std::string>();
  char separator = ':';
  for (const auto& [key, value] : json.items()) {
    if (key == "name") continue;
    std::string written = value.is_string() ? value.get<std::string>() : "";
    if (value.is_number()) written = shortest(value.get<double>());
    text += concat(separator, key, "=", written);
    separator = ',';
  }
  return text;
}

}  // namespace

std::string rule_json(const MergeRule& rule) {
  nlohmann::json json = {{"name", rule.name()}};
  for (const KindSetting& setting : rule.settings().given()) {
    std::visit([&](const auto& value) { json[std::string(setting.key)] = value; }, setting.value);
  }
  return json.dump();
}

std::unique_ptr<MergeRule> parse_recorded_rule(const std::string& json) {
  const std::string text =
      rule_text(nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false));
  try {
    return make_merge_rule(text);
  } catch (const UsageError& error) {
    throw InputError(concat("the record names the merge rule ", json, ": ", error.what()));
  }
}

MergeRecord to_record(const MergeRule& rule, const TaskMerge& merge) {
  MergeRecord record;
  record.rule = rule_json(rule);
  record.coefficients = merge.output.coefficients;
  record.alpha_unclamped = merge.output.alpha_unclamped;
  if (merge.output.terms) {
    record.numerator = merge.output.terms->numerator;
    record.denominator = merge.output.terms->denominator;
  }
  for (const LineTerms& terms : merge.output.module_terms) {
    record.module_numerators.push_back(terms.numerator);
    record.module_denominators.push_back(terms.denominator);
  }
  record.remark = merge.remark;
  return record;
}

std::vector<float> make_task_vector(const std::vector<LoraFactors>& lora,
                                    const AdaptedLayout& layout, int threads) {
  std::vector<float> delta(static_cast<std::size_t>(layout.size()));
  if (lora.empty()) return delta;
  for_each_index(layout.modules().size(), threads, [&](std::size_t i) {
    const AdaptedModule& module = layout.modules()[i];
    const auto f = std::ranges::find(lora, module.name, &LoraFactors::module);
    if (f == lora.end()) throw Error(concat("no factors of adapted module '", module.name, "'"));
    task_vector(f->a, f->b, f->rank, f->out, f->in, f->scale,
                std::span(delta).subspan(static_cast<std::size_t>(module.offset),
                                         static_cast<std::size_t>(module.size())));
  });
  return delta;
}

std::vector<LowRankFactors> to_low_rank_factors(const std::vector<LoraFactors>& lora) {
  std::vector<LowRankFactors> factors;
  for (const LoraFactors& module : lora) {
    factors.push_back({.a = module.a, .b = module.b, .rank = module.rank, .scale = module.scale});
  }
  return factors;
}

}  // namespace palimpsest
