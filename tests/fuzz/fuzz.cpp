#include "fuzz.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace palimpsest {
namespace {

// Removed at exit.
class Folder {
 public:
  Folder() {
    const bool has_memory = std::filesystem::exists("/dev/shm");
    path_ = has_memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    path_ /= "palimpsest-fuzz-" + std::to_string(getpid());
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

std::filesystem::path input_file(const char* name, std::string_view bytes) {
  static const Folder folder;
  std::filesystem::path path = folder.path() / name;
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

}  // namespace palimpsest
