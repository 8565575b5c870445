#include "palimpsest/format/safetensors_writer.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::uint64_t size_of(const TensorToWrite& tensor) {
  std::uint64_t size = 1;
  for (const std::int64_t length : tensor.shape) size *= static_cast<std::uint64_t>(length);
  return size;
}

// Padded to a multiple of 8, as the format's own writer does.
std::string header_of(const std::vector<TensorToWrite>& tensors) {
  nlohmann::json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    const std::uint64_t end = offset + sizeof(float) * size_of(tensor);
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors) {
  std::ranges::sort(tensors, {}, &TensorToWrite::name);
  const auto twice = std::ranges::adjacent_find(tensors, {}, &TensorToWrite::name);
  if (twice != tensors.end()) {
    throw Error(concat(path.string(), ": two tensors would be called ", twice->name));
  }
  AtomicFile atomic(path);
  std::ofstream file(atomic.temporary(), std::ios::binary);
  const auto write = [&](const void* data, std::size_t size) {
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  };
  const std::string header = header_of(tensors);
  const std::uint64_t length = header.size();
  write(&length, sizeof length);
  write(header.data(), header.size());
  for (const TensorToWrite& tensor : tensors) {
    const std::vector<float> values = tensor.values();
    if (values.size() != size_of(tensor)) {
      throw Error(concat(path.string(), ": tensor ", tensor.name, " has ", values.size(),
                         " values; its shape needs ", size_of(tensor)));
    }
    write(values.data(), sizeof(float) * values.size());
  }
  file.close();
  if (!file) throw Error(concat("cannot write ", path.string(), ": is there space left?"));
  atomic.commit();
}

}  // namespace palimpsest
