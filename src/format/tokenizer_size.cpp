#include <nlohmann/json.hpp>
#include <set>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/format/backbone_config.h"

namespace palimpsest {

std::optional<std::int64_t> tokenizer_size(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "tokenizer.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto json = nlohmann::json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("model") || !json["model"].contains("vocab"))
    return std::nullopt;
  // {token: id} of WordPiece and BPE, [[token, score], ...] of Unigram.
  std::set<std::string> tokens;
  for (const auto& [token, entry] : json["model"]["vocab"].items())
    tokens.insert(entry.is_array() && !entry.empty() && entry[0].is_string()
                      ? entry[0].get<std::string>()
                      : token);
  for (const nlohmann::json& added : json.value("added_tokens", nlohmann::json::array()))
    tokens.insert(added.value("content", ""));
  return std::ssize(tokens);
}

}  // namespace palimpsest
