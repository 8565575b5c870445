#include "palimpsest/format/output_file.h"

#include <algorithm>
#include <array>
#include <cctype>
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

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  throw UsageError(
      concat(path.string(), " is ", what, ": nothing is written over it; give another file"));
}

// Whether a regular file is there. Throws UsageError where none may be written.
bool has_file(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw UsageError(concat(path.string(), ": expected a file in a folder that is there, found no ",
                            folder.string(), ": make it first, or give another file"));
  }
  const auto status = std::filesystem::symlink_status(path);
  if (!std::filesystem::exists(status)) return false;
  if (!std::filesystem::is_regular_file(status)) refuse(path, "no regular file");
  return true;
}

// The first characters of a text, so many, without blanks.
std::string beginning_of(const std::filesystem::path& path, std::size_t size) {
  std::ifstream file(path);
  std::string found;
  for (char letter = 0; found.size() < size && file.get(letter);)
    if (std::isspace(static_cast<unsigned char>(letter)) == 0) found += letter;
  return found;
}

}  // namespace

void check_output(const std::filesystem::path& path, std::string_view type) {
  if (has_file(path) && (!is_hdf5(path) || read_type(path) != type))
    refuse(path, concat("no file of type ", type));
}

void check_text_output(const std::filesystem::path& path, std::string_view beginning) {
  if (!has_file(path)) return;
  if (std::ranges::find(kOfRuns, path.filename().string()) != kOfRuns.end())
    refuse(path, "part of a run");
  if (is_hdf5(path)) refuse(path, "an HDF5 file");
  const std::string found = beginning_of(path, beginning.size());
  if (!found.empty() && found != beginning) refuse(path, "a file of another kind");
}

}  // namespace palimpsest
