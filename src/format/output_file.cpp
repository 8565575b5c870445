#include "palimpsest/format/output_file.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"

namespace palimpsest {
namespace {

constexpr std::array<std::string_view, 3> kOfRuns = {"manifest.json", "run.json", "metrics.jsonl"};
constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";

bool is_hdf5(const std::filesystem::path& path) {
  std::string beginning(kHdf5.size(), '\0');
  std::ifstream(path, std::ios::binary).read(beginning.data(), std::ssize(beginning));
  return beginning == kHdf5;
}

// "" where the file can't be read as one of ours.
std::string read_type(const std::filesystem::path& path) {
  try {
    return read_identity(path).type;
  } catch (const InputError&) {
    return "";
  }
}

}  // namespace

void check_output(const std::filesystem::path& path, std::string_view type) {
  const auto refuse = [&](const auto&... what) {
    throw UsageError(concat(path.string(), " is ", what..., ": nothing is written over it; give ",
                            "another file"));
  };
  const std::filesystem::path folder = path.parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw UsageError(concat(path.string(), ": expected a file in a folder that is there, found no ",
                            folder.string(), ": make it first, or give another file"));
  }
  if (!std::filesystem::exists(std::filesystem::symlink_status(path))) return;
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(path)))
    refuse("no regular file");
  if (std::ranges::find(kOfRuns, path.filename().string()) != kOfRuns.end())
    refuse("part of a run");
  const bool is_record = is_hdf5(path);
  if (type.empty() && is_record) refuse("an HDF5 file");
  if (!type.empty() && (!is_record || read_type(path) != type)) refuse("no file of type ", type);
}

}  // namespace palimpsest
