#include "palimpsest/report/appended_log.h"

#include <cerrno>
#include <cstring>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

AppendedLog::AppendedLog(std::filesystem::path path)
    : path_(std::move(path)), file_(std::fopen(path_.c_str(), "ae")) {
  if (!file_) fail("opened");
}

void AppendedLog::fail(const char* what) const {
  throw Error(concat("log ", path_.string(), " could not be ", what, ": ", std::strerror(errno),
                     "; is there space, and may this user write there?"));
}

void AppendedLog::write(std::string_view bytes, bool at_once) {
  if (!file_)
    throw Error(concat("log ", path_.string(), " is closed: nothing more can be written"));
  const bool written =
      bytes.empty() || std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size();
  if (!written || (at_once && std::fflush(file_.get()) != 0)) fail("written");
}

void AppendedLog::close() {
  if (file_ && std::fclose(file_.release()) != 0) fail("closed");
}

}  // namespace palimpsest
