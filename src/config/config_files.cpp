// .cfg files, with those that they include.
#include <algorithm>
#include <cerrno>
#include <cstring>
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

// `list`: what the line says, with all names.
fs::path find_included(const fs::path& including, const std::string& name,
                       const std::string& list) {
  const fs::path folder = including.parent_path();
  if (is_file(folder / name)) return folder / name;
  const std::string separated =
      name == list ? "" : ". A comma separates two files, so a name can't contain one";
  if (fs::path(name).is_absolute())
    throw UsageError(concat("include = ", name, ": expected a file, found none", separated));
  for (fs::path above = fs::absolute(including).lexically_normal().parent_path();;
       above = above.parent_path()) {
    if (is_file(above / "configs" / name)) return above / "configs" / name;
    if (above == above.parent_path()) break;
  }
  throw UsageError(
      concat("include = ", name, ": expected a file in ", folder.empty() ? "." : folder.string(),
             " or in configs/ of that folder or of one above it, found none", separated));
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

struct Reading {
  std::vector<fs::path> open = {};  // files that are being read, the outermost first
  int count = 0;                    // of files read, each as often as it is included
  std::vector<Given> all = {};
};

void read_file(const fs::path& path, Reading& reading) {
  constexpr int kMostFiles = 100;
  const std::string source = concat("configuration ", path.string());
  std::ifstream file(path);
  if (fs::is_directory(path))
    throw UsageError(concat(source, ": this is a folder; give the .cfg file in it"));
  if (!fs::exists(path))
    throw UsageError(concat(source, ": no such file (in ", fs::current_path().string(), ")"));
  if (!file) throw UsageError(concat(source, ": cannot be read: ", std::strerror(errno)));
  const fs::path real = fs::weakly_canonical(path);
  if (std::ranges::find(reading.open, real) != reading.open.end())
    throw UsageError(concat(source, ": includes itself"));
  if (++reading.count > kMostFiles) {
    throw UsageError(concat(
        source, ": expected at most ", kMostFiles,
        " files in all, found more. A file that is included several times counts each time"));
  }
  reading.open.push_back(real);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::vector<CfgLine> lines = parse_cfg(text, source);
  const auto line_source = [&](const CfgLine& line) {
    return concat(source, ": line ", line.number);
  };
  for (const CfgLine& line : lines) {
    if (line.name != "include") continue;
    try {
      for (const std::string& name : names_in(line.value))
        read_file(find_included(path, name, line.value), reading);
    } catch (const UsageError& error) {
      throw UsageError(concat(line_source(line), ": ", error.what()));
    }
  }
  for (const CfgLine& line : lines) {
    if (line.name == "config") {
      throw UsageError(concat(line_source(line), ": 'config' = ", line.value,
                              ": to read another configuration, write include = ", line.value));
    }
    if (line.name != "include")
      reading.all.push_back({line.name, line.value, path.string(), line_source(line)});
  }
  reading.open.pop_back();
}

}  // namespace

std::vector<Given> read_config_files(const fs::path& path) {
  Reading reading;
  read_file(path, reading);
  return reading.all;
}

}  // namespace palimpsest
