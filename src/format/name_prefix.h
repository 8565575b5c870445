#pragma once
// What a wrapper has put before the names of a model's tensors: "module." (of
// DistributedDataParallel), "_orig_mod." (torch.compile), "base_model.model." (PEFT), ...
#include <array>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace palimpsest {

// What wrappers put into names, before a part of the model or before the whole.
inline constexpr std::array<std::string_view, 3> kWrapperParts = {
    "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."};

// "" where the names are a backbone's own, or where no tensor of a backbone is known. Throws
// InputError when there are several backbones, for wrappers around parts of it, and for an adapter
// that isn't merged.
std::string wrapper_prefix(const std::filesystem::path& path, std::span<const std::string> names);

}  // namespace palimpsest
