// Which classes make which task.
#include "palimpsest/format/protocol.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace palimpsest;
  const auto path = input_file("protocol.json", as_text(data, size));
  reads_or_refuses([&] { read_protocol(path); });
  return 0;
}
