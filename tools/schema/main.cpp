// Writes the schemas of HDF5 files and the tables of their pages into checkpoints_schema/.
#include <filesystem>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/schema.h"
#include "support/tool.h"

int main(int count, char** values) {
  using namespace palimpsest;
  const Tool tool = {
      .name = "palimpsest-schema", .usage = "Usage: palimpsest-schema FOLDER\n", .more = ""};
  return run_tool(tool, count, values, {}, [](const auto& words) {
    if (words.size() != 1) throw UsageError("expected one folder; see --help");
    const std::filesystem::path folder = words.front();
    for (const Schema& schema : schemas()) {
      const std::filesystem::path page = folder / (schema.name + ".md");
      write_file_atomically(folder / (schema.name + ".json"), schema.json);
      write_file_atomically(page, with_table(read_file(page), schema.table));
    }
    return 0;
  });
}
