// .cfg files, with those that they include.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "given.h"
#include "palimpsest/core/cfg_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

fs::path find_included(const fs::path& including, const std::string& name) {
  const fs::path folder = including.parent_path();
  if (is_file(folder / name)) return folder / name;
  for (fs::path above = fs::absolute(folder).lexically_normal();; above = above.parent_path()) {
    if (is_file(above / "configs" / name)) return above / "configs" / name;
    if (above == above.parent_path()) break;
  }
  throw UsageError(concat("include = ", name, ": expected a file in ",
                          folder.empty() ? "." : folder.string(),
                          " or in configs/ of that folder or of one above it, found none"));
}

std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t first = part.find_first_not_of(" \t");
    if (first == part.npos) throw UsageError("include takes files, separated by commas");
    names.push_back(part.substr(first, part.find_last_not_of(" \t") - first + 1));
  }
  if (names.empty()) throw UsageError("include takes files, separated by commas");
  return names;
}

// `open`: the files that are being read, the outermost first.
void read_file(const fs::path& path, std::vector<fs::path>& open, std::vector<Given>& all) {
  const std::string source = concat("configuration ", path.string());
  std::ifstream file(path);
  if (!file || fs::is_directory(path))
    throw UsageError(concat(source, ": expected a file that can be read, found none"));
  const fs::path real = fs::weakly_canonical(path);
  if (std::ranges::find(open, real) != open.end())
    throw UsageError(concat(source, ": includes itself"));
  open.push_back(real);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::vector<CfgLine> lines = parse_cfg(text, source);
  const auto source_of = [&](const CfgLine& line) {
    return concat(source, ": line ", line.number);
  };
  for (const CfgLine& line : lines) {
    if (line.name != "include") continue;
    try {
      for (const std::string& name : names_in(line.value))
        read_file(find_included(path, name), open, all);
    } catch (const UsageError& error) {
      throw UsageError(concat(source_of(line), ": ", error.what()));
    }
  }
  for (const CfgLine& line : lines) {
    if (line.name == "config") {
      throw UsageError(concat(source_of(line), ": 'config' = ", line.value,
                              ": a configuration names no other so; write include = ", line.value));
    }
    if (line.name != "include") all.push_back({line.name, line.value, source_of(line)});
  }
  open.pop_back();
}

}  // namespace

std::vector<Given> read_config_files(const fs::path& path) {
  std::vector<fs::path> open;
  std::vector<Given> all;
  read_file(path, open, all);
  return all;
}

}  // namespace palimpsest
