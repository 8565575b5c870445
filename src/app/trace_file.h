#pragma once
// A trace in the JSON format of Chrome's trace viewer, which Perfetto opens.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "palimpsest/comm/phase_log.h"

namespace palimpsest {

// Complete ("X") events of one rank, as members of traceEvents: each on a line that ends in a
// comma. The rank is the process; times in microseconds.
std::string trace_events(std::span<const PhaseEvent> events, int rank);

// Metadata that names a rank's process and its only thread, likewise.
std::string trace_names(int rank, std::string_view host);

// Whole JSON after every append(), so that a job which is killed leaves what it had written.
class TraceFile {
 public:
  // Replaces what is there. Throws Error when it cannot be written, as append() does.
  explicit TraceFile(const std::filesystem::path& path);

  // `events`: as above, of one rank or several. `left_out`: events missing in the file by now.
  void append(std::string_view events, std::int64_t left_out);
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  long end_ = 0;  // where the events end, and a tail begins that the next append() rewrites
};

}  // namespace palimpsest
