#pragma once
// A log that grows at its end, and is never lost in silence.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

namespace palimpsest {

// Every call throws Error when the file cannot be written.
class AppendedLog {
 public:
  // Makes the file where there is none.
  explicit AppendedLog(std::filesystem::path path);

  // at_once: handed to the system with all before it, so that other programs see it.
  void write(std::string_view bytes, bool at_once);
  void flush() { write({}, true); }
  // Nothing can be written after it. The destructor closes too, and keeps silent about failures.
  void close();

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace palimpsest
