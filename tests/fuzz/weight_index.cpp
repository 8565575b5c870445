// model.safetensors.index.json, beside one whole shard.
#include <cstring>

#include "fuzz.h"
#include "palimpsest/format/pretrained_weights.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace palimpsest;
  static const auto shard = [] {
    const std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    std::string bytes(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(bytes.data(), &length, sizeof(length));
    return input_file("a.safetensors", bytes + header + std::string(4, '\0'));
  }();
  const auto index = input_file("model.safetensors.index.json", as_text(data, size));
  reads_or_refuses([&] {
    const PretrainedWeights checkpoint(index.parent_path());
    for (const std::string& name : checkpoint.names()) checkpoint.tensor(name);
    checkpoint.sha256();
  });
  return 0;
}
