#include "palimpsest/method/settings.h"

#include "keys.h"

namespace palimpsest {

// In the order of the help and of the configuration in records.
const KeyTable& all_settings() {
  static const KeyTable table = [] {
    KeyTable all{.keys = {}, .check = check_consistent, .check_training = check_trained_views};
    for (const auto& rows :
         {keys_of_input(), keys_of_passes(), keys_of_adapter(), keys_of_optimizer(),
          keys_of_objective(), keys_of_perturbation(), keys_of_penalty(), keys_of_merge(),
          keys_of_curvature(), keys_of_measuring(), keys_of_head(), keys_of_classifier(),
          keys_of_running()}) {
      all.keys.insert(all.keys.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return table;
}

}  // namespace palimpsest
