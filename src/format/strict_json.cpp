#include "strict_json.h"

#include <set>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  using nlohmann::json;
  constexpr int kDeepest = 64;
  std::vector<std::set<std::string>> names;  // of the objects that are open
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepest)
      throw InputError(concat(where, ": expected at most ", kDeepest, " levels, found more."));
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
      throw InputError(concat(where, ": the name ", parsed.dump(), " is given twice."));
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::parse_error& error) {
    throw InputError(
        concat(where, ": expected JSON, found a syntax error at byte ", error.byte, "."));
  } catch (const json::out_of_range&) {
    throw InputError(concat(where, ": expected numbers in a double's range, found a larger one."));
  }
}

}  // namespace palimpsest
