#include "palimpsest/format/probe_file.h"

#include "h5.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr const char* kType = "probe";
constexpr const char* kContent = "/content";

}  // namespace

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return concat(major, ".", minor, ".", release);
}

void write_probe_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  H5Writer writer(file.temporary(), kType);
  writer.text(kContent, content);
  writer.finish();
  file.commit();
}

std::string read_probe_file(const std::filesystem::path& path) {
  return H5File(path, kType).text(kContent);
}

}  // namespace palimpsest
