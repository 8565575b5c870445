// Adapters of others, all trained from the pretrained base.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/peft_adapter.h"
#include "palimpsest/format/records.h"
#include "palimpsest/remerge/merge_record.h"
#include "palimpsest/remerge/run_merge.h"
#include "recorded_run.h"

namespace palimpsest {
namespace {

std::string shape_text(const AdaptedModule& module) {
  return concat(module.name, " of ", module.out, " x ", module.in);
}

// `whose` has other modules than the first adapter: which, and how.
void check_layout(const AdaptedLayout& expected, const AdaptedLayout& found,
                  const std::string& first, const std::string& whose) {
  if (found == expected) return;
  const auto a = expected.modules(), b = found.modules();
  std::size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  throw InputError(concat(whose, ": expected the modules of ", first,
                          " (next: ", i < a.size() ? shape_text(a[i]) : "no more", "), found ",
                          i < b.size() ? shape_text(b[i]) : "no more"));
}

// A model of one name may lie in several folders.
std::string last_part(const std::string& base) {
  return std::filesystem::path(base).filename().string();
}

// What may be wrong with the two bases; "" where they are one.
std::string check_base(const PeftAdapter& first, const PeftAdapter& other) {
  if (other.base.empty() || first.base.empty()) {
    if (other.base == first.base) return "";
    return concat((first.base.empty() ? first : other).name,
                  " doesn't name its base model (base_model_name_or_path): taken to be that of ",
                  (first.base.empty() ? other : first).name);
  }
  if (other.base == first.base) {
    if (other.revision == first.revision) return "";
    const auto revision = [](const PeftAdapter& adapter) {
      return adapter.revision.empty() ? "the default" : adapter.revision;
    };
    return concat("the adapters were trained on two revisions of ", first.base, ": ", first.name,
                  " on ", revision(first), ", ", other.name, " on ", revision(other));
  }
  if (last_part(other.base) == last_part(first.base)) {
    return concat("the base model of ", first.name, " is ", first.base, ", that of ", other.name,
                  " ", other.base, ": taken to be the same by the end of the name");
  }
  throw InputError(concat("the adapter ", other.name, " is for the base model ", other.base,
                          ", and ", first.name, " for ", first.base,
                          ": expected adapters of one base (base_model_name_or_path)"));
}

FisherRecord to_fisher(CurvatureRecord record) {
  return {.kind = std::move(record.kind),
          .samples = record.samples,
          .transform = {},
          .scale = {},
          .factor = record.factor,
          .values = std::move(record.values)};
}

}  // namespace

RemergeResult remerge_adapters(const AdapterRequest& request) {
  const std::unique_ptr<MergeRule> rule = make_merge_rule(request.rule);
  const MergeNeeds needs = rule->needs();
  if (!request.curvature.empty() && request.curvature.size() != request.adapters.size()) {
    throw UsageError(concat("expected a curvature file for each of the ", request.adapters.size(),
                            " adapters, found ", request.curvature.size()));
  }
  MergeNeeds offered{.fisher = true,  // or refused with the adapter's name
                     .factors = true,
                     .vectors = needs.vectors,
                     .memory = needs.memory};
  if (needs.start == Origin::kPretrained || request.adapters.size() == 1)
    offered.start = needs.start;
  if (needs.start == Origin::kLast) offered.start = Origin::kPretrained;
  check_offered(*rule, offered);

  RemergeResult result;
  MergedRecord& made = result.record;
  nlohmann::ordered_json sources = nlohmann::json::array();
  std::optional<Remerge> merge;
  PeftAdapter first;
  std::vector<float> zeros;
  for (std::size_t i = 0; i < request.adapters.size(); ++i) {
    PeftAdapter adapter = read_peft_adapter(request.adapters[i]);
    const AdaptedLayout layout = adapter_layout(adapter.lora);
    if (!merge) {
      merge.emplace(*rule, layout, needs.fisher, request.threads);
      zeros.resize(merge->merged().size());
      first.name = adapter.name;
      first.base = adapter.base;
      first.revision = adapter.revision;
    }
    check_layout(merge->layout(), layout, first.name, adapter.name);
    for (const std::string& remark : {adapter.remark, check_base(first, adapter)}) {
      if (!remark.empty()) result.remarks.push_back(remark);
    }
    std::optional<FisherRecord> fisher;
    if (!request.curvature.empty()) {
      CurvatureRecord record = read_curvature_record(request.curvature[i]);
      const std::string file = request.curvature[i].string();
      check_layout(layout, record.layout, adapter.name, file);
      if (made.backbone_sha256.empty()) made.backbone_sha256 = record.base_sha256;
      if (!record.base_sha256.empty() && record.base_sha256 != made.backbone_sha256) {
        throw InputError(concat(file, ": expected a curvature on the base model ",
                                made.backbone_sha256, ", found one on ", record.base_sha256));
      }
      fisher = to_fisher(std::move(record));
    }
    const std::vector<float> delta = make_task_vector(adapter.lora, layout, request.threads);
    const bool is_last = i + 1 == request.adapters.size();
    result.tasks.push_back(merge->take({.name = adapter.name,
                                        .base = zeros,
                                        .task_vector = delta,
                                        .weights = delta,
                                        .lora = &adapter.lora,
                                        .fisher = fisher ? &*fisher : nullptr},
                                       is_last));
    result.tasks.back().index = static_cast<std::int64_t>(i);
    made.task_names.push_back(adapter.name);
    sources.push_back({{"adapter", request.adapters[i].string()}, {"sha256", adapter.sha256}});
  }
  result.rule = rule->settings().text();
  made.rule = rule_json(*rule);
  made.sources = nlohmann::ordered_json({{"adapters", sources}}).dump();
  made.post_hoc = post_hoc_reason_of_adapters();
  made.layout = merge->layout();
  made.weights = merge->merged();
  return result;
}

}  // namespace palimpsest
