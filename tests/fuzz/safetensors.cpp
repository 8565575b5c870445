// A weight file: the header, and every tensor read to its last byte.
#include "palimpsest/format/safetensors.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace palimpsest;
  const auto path = input_file("model.safetensors", as_text(data, size));
  reads_or_refuses([&] {
    const SafetensorsFile file(path);
    unsigned sum = 0;
    for (const std::string& name : file.names()) {
      const TensorView& tensor = file.tensor(name);
      for (const std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
      reads_or_refuses([&] { to_floats(file.float_tensor(name, tensor.shape)); });
    }
    volatile unsigned kept = sum;
    static_cast<void>(kept);
  });
  return 0;
}
