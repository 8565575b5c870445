#include "palimpsest/export/adapter.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/canonical_weights.h"
#include "palimpsest/format/safetensors.h"
#include "truncated_svd.h"

namespace palimpsest {
namespace {

using Matrix = RowMajorMatrix;
using Pair = LowRankProduct;  // Delta = b a on one matrix

// All tasks side by side: exact, except for one rounding of b.
Pair concatenated(const std::vector<WeightedFactors>& parts, const AdaptedModule& module) {
  Eigen::Index rank = 0;
  for (const WeightedFactors& part : parts) rank += part.rank;
  Pair pair{Matrix(rank, module.in), Matrix(module.out, rank)};
  Eigen::Index first = 0;
  for (const WeightedFactors& part : parts) {
    pair.a.middleRows(first, part.rank) =
        Eigen::Map<const Matrix>(part.a.data(), part.rank, module.in);
    pair.b.middleCols(first, part.rank) =
        (part.weight *
         Eigen::Map<const Matrix>(part.b.data(), module.out, part.rank).cast<double>())
            .cast<float>();
    first += part.rank;
  }
  return pair;
}

// Modules of the other program, and at which of `of` equal parts of its rows a pair belongs.
std::vector<WrittenName> written_names(const std::string& module, const BackboneConfig& backbone,
                                       const PretrainedWeights& weights, Dialect dialect) {
  const auto module_name = [](std::string tensor) {
    return tensor.substr(0, tensor.size() - std::string_view(".weight").size());
  };
  std::vector<WrittenName> targets;
  if (dialect == Dialect::kOwn) {
    const CanonicalWeights::Place place = own_place(weights, backbone, module);
    for (const std::string& tensor : place.tensors)
      targets.push_back({module_name(tensor), place.part, place.of});
  } else {
    WrittenName target =
        written_name(std::get<VitConfig>(backbone), dialect, module + ".weight", /*prefix=*/false);
    target.name = module_name(target.name);
    targets.push_back(std::move(target));
  }
  return targets;
}

// Rows of `pair.b` in the place that they have among `of` equal parts, with its own rows of a: the
// others of the fused matrix add theirs.
void add_to(Pair& whole, const Pair& pair, std::int64_t part, std::int64_t of) {
  const Eigen::Index out = pair.b.rows(), before = whole.a.rows(), rank = pair.a.rows();
  Matrix a(before + rank, pair.a.cols()), b = Matrix::Zero(out * of, before + rank);
  if (before > 0) {
    a.topRows(before) = whole.a;
    b.leftCols(before) = whole.b;
  }
  a.bottomRows(rank) = pair.a;
  b.block(out * part, before, out, rank) = pair.b;
  whole = {std::move(a), std::move(b)};
}

// By the module's name in the other program.
std::map<std::string, Pair> fused(const std::vector<Pair>& pairs, const AdaptedLayout& layout,
                                  const BackboneConfig& backbone, const PretrainedWeights& weights,
                                  Dialect dialect) {
  std::map<std::string, Pair> modules;
  for (std::size_t m = 0; m < pairs.size(); ++m) {
    const auto targets = written_names(layout.modules()[m].name, backbone, weights, dialect);
    const Eigen::Index rows = pairs[m].b.rows() / std::ssize(targets);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const Pair share{pairs[m].a,
                       pairs[m].b.middleRows(static_cast<Eigen::Index>(i) * rows, rows)};
      add_to(modules[targets[i].name], share, targets[i].part, targets[i].of);
    }
  }
  return modules;
}

// Each rank as peft's lora_alpha, too, so that it multiplies by 1.
nlohmann::ordered_json peft_config(const std::map<std::string, Pair>& modules,
                                   const std::string& base) {
  std::int64_t rank = 0;
  std::vector<std::string> names;
  nlohmann::ordered_json others = nlohmann::ordered_json::object();
  for (const auto& [name, pair] : modules) {
    rank = std::max<std::int64_t>(rank, pair.a.rows());
    names.push_back(name);
  }
  for (const auto& [name, pair] : modules) {
    if (pair.a.rows() != rank) others[name] = pair.a.rows();
  }
  return {{"peft_type", "LORA"},
          {"task_type", nullptr},
          {"base_model_name_or_path", base},
          {"inference_mode", true},
          {"r", rank},
          {"lora_alpha", rank},
          {"rank_pattern", others},
          {"alpha_pattern", others},
          {"target_modules", names},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"use_rslora", false},
          {"use_dora", false}};
}

std::vector<float> to_vector(const Matrix& matrix) {
  return {matrix.data(), matrix.data() + matrix.size()};
}

void write_adapter(const std::map<std::string, Pair>& modules, const std::string& base,
                   const std::filesystem::path& folder) {
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, pair] : modules) {
    const std::string key = concat("base_model.model.", name);
    tensors.push_back({key + ".lora_A.weight", {pair.a.rows(), pair.a.cols()}, [&pair = pair] {
                         return to_vector(pair.a);
                       }});
    tensors.push_back({key + ".lora_B.weight", {pair.b.rows(), pair.b.cols()}, [&pair = pair] {
                         return to_vector(pair.b);
                       }});
  }
  write_safetensors(folder / "adapter_model.safetensors", std::move(tensors));
  write_file_atomically(folder / "adapter_config.json", peft_config(modules, base).dump(2) + "\n");
}

// transformers 5 renamed these modules of vision transformers. It still reads files with the names
// of transformers 4, and peft does not.
bool has_names_of_transformers_4(const BackboneConfig& backbone, const PretrainedWeights& weights) {
  const auto* const vit = std::get_if<VitConfig>(&backbone);
  if (vit == nullptr || vit->swiglu) return false;  // a gated MLP has no names for --dialect hf5
  const std::string name = own_place(weights, backbone, "blocks.0.attn.query").tensors.front();
  return name.find("attention.attention.query") != std::string::npos;
}

}  // namespace

AdapterReport export_adapter(const ExportSource& source, const BackboneConfig& backbone,
                             const PretrainedWeights& weights, Dialect dialect,
                             const std::string& base, std::optional<std::int64_t> rank,
                             const std::filesystem::path& folder) {
  if (!rank && !source.factors) {
    throw UsageError(
        "these merged weights are no sum of the tasks' adapters (the merge rule isn't linear in "
        "the task vectors), so that no adapter of their ranks is exact; give a --rank for the "
        "closest one, whose residual is printed, or --format safetensors for the whole model");
  }
  if (source.layout.modules().empty())
    throw UsageError("there is no adapter: the backbone was frozen and only heads were trained");
  std::vector<Pair> pairs;
  double whole = 0, left_out = 0;
  for (std::size_t m = 0; m < source.layout.modules().size(); ++m) {
    const AdaptedModule& module = source.layout.modules()[m];
    const auto delta = std::span(source.weights)
                           .subspan(static_cast<std::size_t>(module.offset),
                                    static_cast<std::size_t>(module.size()));
    if (!rank) {
      pairs.push_back(concatenated((*source.factors)[m], module));
      continue;
    }
    TruncatedSvd closest =
        truncated_svd(Eigen::Map<const Matrix>(delta.data(), module.out, module.in), *rank);
    whole += closest.squared_norm;
    left_out += closest.left_out;
    pairs.push_back(std::move(closest.kept));
  }
  const std::map<std::string, Pair> modules =
      fused(pairs, source.layout, backbone, weights, dialect);
  write_adapter(modules, base, folder);
  AdapterReport report;
  report.is_for_transformers_4 =
      dialect == Dialect::kOwn && has_names_of_transformers_4(backbone, weights);
  for (const auto& [name, pair] : modules)
    report.rank = std::max<std::int64_t>(report.rank, pair.a.rows());
  if (rank) report.residual = whole > 0 ? std::sqrt(left_out / whole) : 0;
  return report;
}

}  // namespace palimpsest
