#pragma once
// Writes a .safetensors file, as transformers, timm and peft read it.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace palimpsest {

// A float32 tensor to be written. Its values are requested when their turn comes, so that a model
// need not be in memory as a whole.
struct TensorToWrite {
  std::string name;
  std::vector<std::int64_t> shape;
  std::function<std::vector<float>()> values;  // row-major, of that shape
};

// The file appears whole or not at all (AtomicFile). Throws Error when a name is given twice, when
// values don't have the size of their shape, or when it can't be written.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors);

}  // namespace palimpsest
