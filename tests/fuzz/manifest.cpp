// manifest.json, through everything that opens a run folder. No path of it may leave the folder.
#include <cstdlib>

#include "../../src/format/run_files.h"
#include "fuzz.h"
#include "palimpsest/format/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace palimpsest;
  const auto path = input_file("manifest.json", as_text(data, size));
  reads_or_refuses([&] {
    const Manifest manifest = read_manifest(path);
    for (const auto& [name, file] : manifest.files) {
      const auto inside = (path.parent_path() / name).lexically_normal();
      if (!inside.string().starts_with(path.parent_path().string())) std::abort();
    }
  });
  reads_or_refuses([&] { RunFolder(path.parent_path()).newest_state(); });
  reads_or_refuses([&] { RunFolder(path.parent_path()).state_to_resume(); });
  reads_or_refuses([&] { RunFolder(path.parent_path()).newest_step(0, ""); });
  verify(path.parent_path());
  return 0;
}
