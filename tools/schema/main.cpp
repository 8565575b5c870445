// Writes the schemas of HDF5 files and the tables of their pages into checkpoints_schema/:
// palimpsest-schema FOLDER
#include <cstdio>
#include <filesystem>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/schema.h"

int main(int argc, char** argv) {
  using namespace palimpsest;
  if (argc != 2) {
    std::fputs("Usage: palimpsest-schema FOLDER\n", stderr);
    return static_cast<int>(ExitCode::kUsage);
  }
  try {
    const std::filesystem::path folder = argv[1];
    for (const Schema& schema : schemas()) {
      const std::filesystem::path page = folder / (schema.name + ".md");
      write_file_atomically(folder / (schema.name + ".json"), schema.json);
      write_file_atomically(page, with_table(read_file(page), schema.table));
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "palimpsest-schema: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
