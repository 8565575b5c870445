#include "palimpsest/config/key_table.h"

#include "keys.h"

namespace palimpsest {

std::span<const Key> key_table() {
  static const std::vector<Key> table = [] {
    std::vector<Key> keys = keys_of_input();
    for (const auto& part : {keys_of_training(), keys_of_running()}) {
      keys.insert(keys.end(), part.begin(), part.end());
    }
    return keys;
  }();
  return table;
}

}  // namespace palimpsest
