#include "palimpsest/format/checkpoint.h"

#include <set>

#include "json_fields.h"
#include "name_prefix.h"
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

// What users give for such a folder, and what to do then.
[[noreturn]] void refuse_folder(const std::filesystem::path& folder) {
  const auto refusal = [&](const auto&... what) {
    return InputError(concat(folder.string(),
                             ": expected model.safetensors, or model.safetensors.index.json with "
                             "its shards, found ",
                             what...));
  };
  const std::filesystem::path file = folder.has_filename() ? folder : folder.parent_path();
  if (std::filesystem::is_regular_file(file))
    throw refusal("a file: the backbone is a folder, with config.json and the weights");
  if (!std::filesystem::is_directory(folder)) throw refusal("no folder there");
  if (std::filesystem::exists(folder / "adapter_config.json")) {
    throw refusal(
        "an adapter of PEFT alone: merge it into its base model, and save that: "
        "model.merge_and_unload().save_pretrained(FOLDER)");
  }
  std::set<std::string> others, safetensors, folders;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (std::filesystem::exists(entry.path() / "model.safetensors")) folders.insert(name);
    for (const std::string_view ending :
         {".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".msgpack", ".npz"}) {
      if (name.ends_with(ending)) others.insert(name);
    }
    if (name.ends_with(".safetensors")) safetensors.insert(name);
  }
  if (!safetensors.empty() && safetensors.begin()->find("-of-") != std::string::npos)
    throw refusal(*safetensors.begin(),
                  " without the index: get model.safetensors.index.json, too");
  if (!safetensors.empty())
    throw refusal(*safetensors.begin(), ": a whole model's file is to be named model.safetensors");
  if (!others.empty()) {
    std::string list;
    for (const std::string& name : others) list += concat(list.empty() ? "" : ", ", name);
    throw refusal(list,
                  ", which Palimpsest doesn't read: open the model with transformers or timm and "
                  "save it as safetensors; docs/your-backbone.md has the lines");
  }
  if (!folders.empty()) throw refusal("one in its folder ", *folders.begin(), ": give that one");
  throw refusal("neither. --backbone names the folder of a model");
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& folder) : path_(folder / "model.safetensors") {
  std::map<std::string, std::size_t> found;  // tensor -> position in files_
  if (std::filesystem::exists(path_)) {
    files_.emplace_back(path_);
    for (const std::string& name : files_[0].names()) found[name] = 0;
  } else {
    path_ = folder / "model.safetensors.index.json";
    if (!std::filesystem::exists(path_)) refuse_folder(folder);
    open_shards(folder, found);
  }
  std::vector<std::string> names;
  for (const auto& [name, file] : found) names.push_back(name);
  prefix_ = wrapper_prefix(path_, names);
  std::vector<std::string> others;
  for (const auto& [name, file] : found) {
    if (name.starts_with(prefix_)) {
      places_[name.substr(prefix_.size())] = file;
    } else {
      others.push_back(name);
    }
  }
  if (prefix_.empty()) return;
  remark_ = concat(path_.string(), ": the names of its tensors begin with \"", prefix_,
                   "\", which is taken off");
  if (others.empty()) return;
  remark_ += concat("; without it, and left aside: ", others.size(),
                    others.size() == 1 ? " tensor (" : " tensors (", others.front(),
                    others.size() == 1 ? ")" : ", ...)");
}

void Checkpoint::open_shards(const std::filesystem::path& folder,
                             std::map<std::string, std::size_t>& found) {
  const std::map<std::string, std::string> files = read_weight_map(path_);
  std::set<std::string> shards;
  for (const auto& [tensor, file] : files) shards.insert(file);
  for (const std::string& shard : shards) {
    if (!std::filesystem::exists(folder / shard)) {
      throw InputError(concat(path_.string(), ": names the shard ", shard,
                              ", which isn't in the folder: get the model again"));
    }
    const SafetensorsFile& file = files_.emplace_back(folder / shard);
    for (const std::string& name : file.names()) {
      const auto named = files.find(name);
      if (named == files.end() || named->second != shard) {
        throw InputError(concat(path_.string(), ": ", shard, " has a tensor ", name,
                                ", which the index doesn't place there. The files don't belong "
                                "together: get the model again"));
      }
      found[name] = files_.size() - 1;
    }
  }
  for (const auto& [tensor, file] : files) {
    if (!found.contains(tensor)) {
      throw InputError(concat(path_.string(), ": expected a tensor ", tensor, " in ", file,
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
  std::vector<std::string> known;
  for (const std::string& other : names()) known.push_back(name_in_file(other));
  refuse_missing_tensor(path_, name_in_file(name), known);
}

const TensorView& Checkpoint::tensor(std::string_view name) const {
  return file_of(name).tensor(name_in_file(name));
}

const TensorView& Checkpoint::float_tensor(std::string_view name,
                                           std::span<const std::int64_t> shape) const {
  return file_of(name).float_tensor(name_in_file(name), shape);
}

std::string Checkpoint::sha256() const {
  if (files_.size() == 1) return sha256_of_file(files_[0].path());
  std::string hashes;
  for (const SafetensorsFile& file : files_) hashes += sha256_of_file(file.path());
  return palimpsest::sha256(hashes);
}

}  // namespace palimpsest
