#include "palimpsest/format/checkpoint.h"

#include <set>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "tensor_names.h"

namespace palimpsest {
namespace {

// The index's weight_map: tensor -> file. A file is a plain name in the index's own folder.
std::map<std::string, std::string> read_weight_map(const std::filesystem::path& index) {
  const nlohmann::json json = read_json_object(index);
  const JsonObject top{json, index};
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : top.object("weight_map").items()) {
    if (!file.is_string()) top.refuse("weight_map", "the name of a file for every tensor");
    const std::filesystem::path name = file.get<std::string>();
    if (name.empty() || name != name.filename() || name == "..") {
      top.refuse("weight_map", "names of files in the same folder, without '/'");
    }
    files[tensor] = name.string();
  }
  return files;
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& folder) : path_(folder / "model.safetensors") {
  if (std::filesystem::exists(path_)) {
    files_.emplace_back(path_);
    for (const std::string& name : files_[0].names()) places_[name] = 0;
    return;
  }
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  if (!std::filesystem::exists(index)) {
    throw InputError(
        concat(folder.string(),
               ": expected model.safetensors, or model.safetensors.index.json with its "
               "shards, found neither. --backbone names the folder of a model"));
  }
  path_ = index;
  const std::map<std::string, std::string> files = read_weight_map(index);
  std::set<std::string> shards;
  for (const auto& [tensor, file] : files) shards.insert(file);
  for (const std::string& shard : shards) {
    const SafetensorsFile& file = files_.emplace_back(folder / shard);
    for (const std::string& name : file.names()) {
      const auto named = files.find(name);
      if (named == files.end() || named->second != shard) {
        throw InputError(concat(index.string(), ": ", shard, " has a tensor ", name,
                                ", which the index doesn't place there. The files don't belong "
                                "together: get the model again"));
      }
      places_[name] = files_.size() - 1;
    }
  }
  for (const auto& [tensor, file] : files) {
    if (!contains(tensor)) {
      throw InputError(concat(index.string(), ": expected a tensor ", tensor, " in ", file,
                              ", found none. The files don't belong together: get the model "
                              "again"));
    }
  }
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : places_) names.push_back(name);
  return names;
}

const SafetensorsFile& Checkpoint::file_of(std::string_view name) const {
  const auto found = places_.find(name);
  if (found != places_.end()) return files_[found->second];
  refuse_missing_tensor(path_, name, names());
}

const TensorView& Checkpoint::tensor(std::string_view name) const {
  return file_of(name).tensor(name);
}

const TensorView& Checkpoint::float_tensor(std::string_view name,
                                           std::span<const std::int64_t> shape) const {
  return file_of(name).float_tensor(name, shape);
}

std::string Checkpoint::sha256() const {
  if (files_.size() == 1) return sha256_of_file(files_[0].path());
  std::string hashes;
  for (const SafetensorsFile& file : files_) hashes += sha256_of_file(file.path());
  return palimpsest::sha256(hashes);
}

}  // namespace palimpsest
