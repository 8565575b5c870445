#pragma once
// The message about a tensor that isn't there, with the name that the user may have meant.
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace palimpsest {

// Throws InputError. `known`: the tensors of the file.
[[noreturn]] void refuse_missing_tensor(const std::filesystem::path& path, std::string_view name,
                                        std::span<const std::string> known);

}  // namespace palimpsest
