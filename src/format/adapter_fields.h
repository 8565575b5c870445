#pragma once
// The fields of PEFT's adapter_config.json.
#include "json_fields.h"

namespace palimpsest {

// Every field is understood, changes nothing in what is merged, or says no; throws InputError with
// the name of any other, its value and, where known, what it means. A field that isn't known is
// refused, too.
void check_adapter_fields(const JsonObject& config);

}  // namespace palimpsest
