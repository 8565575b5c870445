#pragma once
// Keys of kinds that were separate settings in earlier versions, or that came later.
#include <map>
#include <string_view>
#include <vector>

namespace palimpsest {

// A key of some kinds of a setting, as it was when it had its own setting, or none.
struct OldKey {
  std::string_view setting;
  std::vector<std::string_view> kinds;
  std::string_view key, old_name, default_value;
  bool is_operational = false;  // records leave it out
  bool came_later = false;      // than records that have texts of kinds: these lack it
};

// In the order in which a full text has the keys.
const std::vector<OldKey>& old_keys();

// Of settings that have old keys: what they were by default.
const std::map<std::string_view, std::string_view>& default_kinds();

bool is_of(const OldKey& key, std::string_view kind);

// nullptr where there is none.
const OldKey* find_by_old_name(std::string_view name);
const OldKey* find_old_key(std::string_view setting, std::string_view key);

}  // namespace palimpsest
