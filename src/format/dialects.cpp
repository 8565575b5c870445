#include "palimpsest/format/dialects.h"

namespace palimpsest {
namespace {

// LayerNorm.weight -> LayerNorm.gamma, LayerNorm.bias -> LayerNorm.beta; other names as they are.
std::string old_layer_norm_name(const std::string& name) {
  for (const auto& [current, old] : {std::pair(".weight", ".gamma"), std::pair(".bias", ".beta")}) {
    const std::string ending = std::string("LayerNorm") + current;
    if (name.ends_with(ending)) {
      return name.substr(0, name.size() - std::string_view(current).size()) + old;
    }
  }
  return name;
}

}  // namespace

std::string find_bert_tensor(const SafetensorsFile& file, std::string_view canonical) {
  const std::string plain(canonical);
  for (const std::string& name : {plain, "bert." + plain}) {
    if (file.contains(name)) return name;
    const std::string old = old_layer_norm_name(name);
    if (file.contains(old)) return old;
  }
  file.tensor(canonical);  // throws, with the nearest name
  return plain;
}

}  // namespace palimpsest
