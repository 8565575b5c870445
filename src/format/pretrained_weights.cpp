#include "palimpsest/format/pretrained_weights.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {
namespace {

// Every backbone has exactly one of these.
constexpr std::pair<std::string_view, const Spellings& (*)()> kFirst[] = {
    {"embeddings.word_embeddings.weight", bert_spellings},
    {"embed_tokens.weight", llama_spellings},
    {"patch_embed.proj.weight", vit_spellings},
    {"embeddings.patch_embeddings.projection.weight", vit_spellings}};

void refuse_unmerged(const std::filesystem::path& path, const std::string& name) {
  for (const std::string_view part : {".lora_A.", ".lora_B.", ".base_layer."}) {
    if (name.find(part) == std::string::npos) continue;
    throw InputError(concat(path.string(), ": a tensor ", name,
                            ": the model has an adapter of PEFT that isn't merged. Merge it first: "
                            "model.merge_and_unload().save_pretrained(FOLDER)"));
  }
}

// Without what belongs to the family: of "module.bert.", "module.".
std::string without_family(std::string_view prefix, const Spellings& spellings) {
  for (const std::string_view family : spellings.prefixes) {
    if (family.empty() || !prefix.ends_with(family)) continue;
    const std::string_view rest = prefix.substr(0, prefix.size() - family.size());
    if (rest.empty() || rest.ends_with('.')) return std::string(rest);
  }
  return std::string(prefix);
}

// Of parts of the model, behind the prefix of the whole.
void refuse_wrapped_parts(const std::filesystem::path& path, std::span<const std::string> names,
                          std::string_view prefix) {
  for (const std::string& name : names) {
    for (const std::string_view wrapper : kWrapperParts) {
      const std::size_t at = name.find(wrapper, name.starts_with(prefix) ? prefix.size() : 0);
      if (at == std::string::npos) continue;
      throw InputError(concat(path.string(), ": a tensor ", name, ": \"", wrapper,
                              "\" is of a wrapper around a part of the model. Save the tensors "
                              "without it: {name.replace(\"",
                              wrapper, "\", \"\"): tensor}"));
    }
  }
}

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

// What a wrapper has put before all names: "module." (of DistributedDataParallel), "_orig_mod."
// (torch.compile), "base_model.model." (PEFT), ...; "" where the names are a backbone's own, or
// where no tensor of a backbone is known. Throws InputError when there are several backbones, for
// wrappers around parts of it, and for an adapter that isn't merged.
std::string wrapper_prefix(const std::filesystem::path& path, std::span<const std::string> names) {
  std::map<std::string, const Spellings*> prefixes;
  for (const std::string& name : names) {
    refuse_unmerged(path, name);
    for (const auto& [first, spellings] : kFirst) {
      if (!name.ends_with(first)) continue;
      const std::string before = name.substr(0, name.size() - first.size());
      if (before.empty() || before.ends_with('.')) prefixes.emplace(before, &spellings());
    }
  }
  if (prefixes.size() > 1) {
    std::string list;
    for (const auto& [prefix, spellings] : prefixes)
      list += concat(list.empty() ? "\"" : ", \"", prefix, '"');
    throw InputError(concat(path.string(), ": expected one backbone, found ", prefixes.size(),
                            ", whose names begin with ", list,
                            ": save the tensors of one of them in a separate file"));
  }
  std::string prefix;
  for (const auto& [whole, spellings] : prefixes) prefix = without_family(whole, *spellings);
  refuse_wrapped_parts(path, names, prefix);
  return prefix;
}

}  // namespace

PretrainedWeights::PretrainedWeights(const std::filesystem::path& folder)
    : Tensors(folder / "model.safetensors") {
  if (std::filesystem::exists(path_)) {
    files_.push_back(path_);
    add_file(path_);
  } else {
    path_ = folder / "model.safetensors.index.json";
    if (!std::filesystem::exists(path_)) refuse_folder(folder);
    open_shards(folder);
  }
  prefix_ = wrapper_prefix(path_, names());
  if (prefix_.empty()) return;
  std::vector<std::string> others;
  for (auto& [name, tensor] : std::exchange(tensors_, {})) {
    if (name.starts_with(prefix_)) {
      tensors_[name.substr(prefix_.size())] = tensor;
    } else {
      others.push_back(name);
    }
  }
  remark_ = concat(path_.string(), ": the names of its tensors begin with \"", prefix_,
                   "\", which is taken off");
  if (others.empty()) return;
  remark_ += concat("; without it, and left aside: ", others.size(),
                    others.size() == 1 ? " tensor (" : " tensors (", others.front(),
                    others.size() == 1 ? ")" : ", ...)");
}

void PretrainedWeights::open_shards(const std::filesystem::path& folder) {
  const std::map<std::string, std::string> files = read_weight_map(path_);
  std::set<std::string> shards;
  for (const auto& [tensor, file] : files) shards.insert(file);
  for (const std::string& shard : shards) {
    if (!std::filesystem::exists(folder / shard)) {
      throw InputError(concat(path_.string(), ": names the shard ", shard,
                              ", which isn't in the folder: get the model again"));
    }
    files_.push_back(folder / shard);
    for (const std::string& name : add_file(folder / shard)) {
      const auto named = files.find(name);
      if (named == files.end() || named->second != shard) {
        throw InputError(concat(path_.string(), ": ", shard, " has a tensor ", name,
                                ", which the index doesn't place there. The files don't belong "
                                "together: get the model again"));
      }
    }
  }
  for (const auto& [tensor, file] : files) {
    if (!contains(tensor)) {
      throw InputError(concat(path_.string(), ": expected a tensor ", tensor, " in ", file,
                              ", found none. The files don't belong together: get the model "
                              "again"));
    }
  }
}

std::string PretrainedWeights::sha256() const {
  if (files_.size() == 1) return sha256_file(files_[0]);
  std::string hashes;
  for (const std::filesystem::path& file : files_) hashes += sha256_file(file);
  return palimpsest::sha256(hashes);
}

}  // namespace palimpsest
