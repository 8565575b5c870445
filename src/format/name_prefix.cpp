#include "name_prefix.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {
namespace {

// Every backbone has exactly one of these.
constexpr std::pair<std::string_view, const Spellings& (*)()> kFirst[] = {
    {"embeddings.word_embeddings.weight", bert_spellings},
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

}  // namespace

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

}  // namespace palimpsest
