#pragma once
// The machine-readable schemas of checkpoints_schema/, compiled in: which objects a file of a type
// may and must hold.
#include <string>
#include <string_view>
#include <vector>

#include "h5.h"

namespace palimpsest {

// In what the file departs from the schema of its palimpsest_type; empty when in nothing. Objects
// that the schema doesn't know are no problem in a file of a later minor version.
std::vector<std::string> schema_problems(const H5File& file);

// The texts of checkpoints_schema/{task,state,step,pack}.json when this was compiled; in
// schema_texts.cpp, which the build makes.
std::vector<std::string_view> schema_texts();

}  // namespace palimpsest
