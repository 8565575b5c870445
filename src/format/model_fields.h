#pragma once
// The fields of a backbone's config.json that none of the readers reads.
#include <string>
#include <vector>

#include "json_fields.h"

namespace palimpsest {

// Throws InputError for a field that is set to change what the model computes, in a way that
// Palimpsest doesn't: quantized weights, the model's own code, a decoder, rotary positions, ...
void check_model_fields(const JsonObject& config);

// The same for timm's model_args, where a field that isn't known is refused, too.
void check_timm_arguments(const JsonObject& arguments);

// Fields that are set and neither read nor known to change nothing.
std::vector<std::string> unknown_model_fields(const nlohmann::json& config);

}  // namespace palimpsest
