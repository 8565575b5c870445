#include <cmath>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

// Each module's shape with one number of its part of the flat vector, and the same as JSON.
template <typename Number>
std::string module_table(const AdaptedLayout& layout, std::span<const float> values,
                         const std::string& what, Json& json, const Number& number) {
  Rows rows = {{"module", "shape", what}};
  json["modules"] = Json::array();
  for (const AdaptedModule& module : layout.modules()) {
    const double found = number(values.subspan(static_cast<std::size_t>(module.offset),
                                               static_cast<std::size_t>(module.size())));
    rows.push_back({module.name, concat(module.out, " x ", module.in), scientific(found, 4)});
    json["modules"].push_back(
        {{"module", module.name}, {"out", module.out}, {"in", module.in}, {what, found}});
  }
  return text_table(rows, "llr");
}

double norm(std::span<const float> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

double sum(std::span<const float> values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

std::string hash_or_unknown(const std::string& hash) {
  return hash.empty() ? "unknown" : short_hash(hash);
}

}  // namespace

View merged_view(const std::filesystem::path& file) {
  const MergedRecord record = read_merged_record(file);
  const FileIdentity identity = read_identity(file);
  const std::string hash = weights_hash(record.weights);
  Json json = record_json(file, identity);
  json.update({{"adapted_weights", record.layout.size()},
               {"norm_merged", norm(record.weights)},
               {"weights", hash}});
  std::string text = concat(
      "merged weights of ", counted(record.task_names.size(), "task"), "\n",
      identity_text(identity), "  backbone ", hash_or_unknown(record.backbone_sha256), ", pack ",
      hash_or_unknown(record.pack_content_sha256), "\n  rule ", record.rule, ", theta_hat ",
      short_hash(hash), ", |theta_hat - theta_hat_0| = ", fixed(norm(record.weights), 4), "\n  ",
      record.post_hoc.empty() ? "the run's own merge" : wrap(record.post_hoc, kWidth, 2, 2),
      "\n  from ", wrap(record.sources, kWidth, 2, 7), "\n\ntasks\n");
  for (std::size_t t = 0; t < record.task_names.size(); ++t) {
    const std::string classes = record.classes.empty() ? "without a head" : join(record.classes[t]);
    text += concat("  ", t + 1, "  ",
                   wrap(concat(record.task_names[t], ": ", classes), kWidth, 6, 6), "\n");
  }
  text += "\n" + module_table(record.layout, record.weights, "norm", json, norm);
  return {std::move(text), dump(json)};
}

View curvature_view(const std::filesystem::path& file) {
  const CurvatureRecord record = read_curvature_record(file);
  const FileIdentity identity = read_identity(file);
  Json json = record_json(file, identity);
  std::string text =
      concat("curvature of an adapter: ", record.kind, " over ", grouped(record.samples),
             " samples, factor ", scientific(record.factor, 3), "\n", identity_text(identity),
             "  base ", hash_or_unknown(record.base_sha256), "\n\n",
             module_table(record.layout, record.values, "mass", json, sum));
  return {std::move(text), dump(json)};
}

}  // namespace palimpsest
