#include "recipe.h"

#include <nlohmann/json.hpp>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/safetensors.h"

namespace palimpsest {
namespace {

using Json = nlohmann::ordered_json;

// Scores of features f, in the words of NumPy.
constexpr const char* kProjected = "h = maximum(0, f @ projection); scores = h @ weight.T";
constexpr const char* kByClass =
    "f has length 1; for class c: m = mean[c], F its directions[c] rows of factor (those of the "
    "classes follow one another), v = (F ** 2).sum(0) + rest[c]; S = F.T @ F + (rest[c] + "
    "shrink * v.mean()) * identity, or F.T @ F + identity where v is zero; d = sqrt(diag(S)); C = "
    "S / outer(d, d); score = -(f - m) @ inv(C) @ (f - m) / 2, up to a number that all classes "
    "share";

std::vector<float> to_floats(const NamedTensor& tensor) {
  return std::visit(
      [](const auto& values) { return std::vector<float>(values.begin(), values.end()); },
      tensor.values);
}

TensorToWrite written(const std::string& name, const NamedTensor& tensor) {
  return {name, tensor.dims, [&tensor] { return to_floats(tensor); }};
}

// R [features, width], as a run draws it from its seed.
TensorToWrite drawn_projection(const NamedTensors& memory, const std::string& own) {
  const auto& drawn = memory.values<std::int64_t>(own + "/projection", {2});
  const std::int64_t width = memory.at(own + "/weight").dims.at(1);
  return {"projection", {drawn[1], width}, [seed = drawn[0], size = drawn[1] * width] {
            std::vector<float> values(static_cast<std::size_t>(size));
            fill_normal(values,
                        RandomStream(static_cast<std::uint64_t>(seed), Purpose::kProjection, 0, 0));
            return values;
          }};
}

}  // namespace

void write_recipe(const ExportSource& source, const std::filesystem::path& folder) {
  const NamedTensors& memory = source.nonlinear;
  const std::string own = concat("classifier/", source.classifier);
  Json json = {{"classifier", source.classifier}, {"classes_by_task", source.classes}};
  std::vector<TensorToWrite> tensors;
  if (memory.contains(own + "/projection")) {
    json["scores"] = kProjected;
    tensors = {drawn_projection(memory, own), written("weight", memory.at(own + "/weight"))};
  } else if (memory.contains(own + "/factor") && memory.contains(own + "/directions")) {
    json["scores"] = kByClass;
    json["directions"] = memory.values<std::int64_t>(own + "/directions", {kAnySize});
    json["shrink"] = memory.values<double>(own + "/shrink", {1}).front();
    for (const char* const name : {"mean", "factor", "rest"})
      tensors.push_back(written(name, memory.at(concat(own, '/', name))));
  } else {
    throw InputError(concat("the classifier ", source.classifier,
                            ": expected arrays that a recipe is known for, found ",
                            join(memory.names(own)), "; --classifier names another of the run's"));
  }
  write_safetensors(folder / "classifier.safetensors", std::move(tensors));
  write_file_atomically(folder / "classifier.json", json.dump(2) + "\n");
}

}  // namespace palimpsest
