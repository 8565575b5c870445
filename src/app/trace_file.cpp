#include "trace_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string microseconds(std::int64_t nanoseconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%lld.%03lld", static_cast<long long>(nanoseconds / 1000),
                static_cast<long long>(nanoseconds % 1000));
  return text.data();
}

std::string name_event(int rank, std::string_view what, std::string_view field,
                       const std::string& value) {
  return concat(R"({"name":")", what, R"(","ph":"M","pid":)", rank, R"(,"tid":0,"args":{")", field,
                "\":", value, "}},\n");
}

}  // namespace

std::string trace_events(std::span<const PhaseEvent> events, int rank) {
  std::string text;
  for (const PhaseEvent& event : events) {
    text += concat("{\"name\":", json_text(event.name), R"(,"cat":")",
                   event.is_collective ? "collective" : "phase", R"(","ph":"X","ts":)",
                   microseconds(event.begin), ",\"dur\":", microseconds(event.duration),
                   ",\"pid\":", rank, ",\"tid\":0");
    if (event.task >= 0)
      text += concat(",\"args\":{\"task\":", event.task, ",\"step\":", event.step, "}");
    text += "},\n";
  }
  return text;
}

std::string trace_names(int rank, std::string_view host) {
  return name_event(rank, "process_name", "name",
                    json_text(concat("rank ", rank, " (", host, ")"))) +
         name_event(rank, "process_sort_index", "sort_index", std::to_string(rank)) +
         name_event(rank, "thread_name", "name", json_text("phases"));
}

TraceFile::TraceFile(const std::filesystem::path& path)
    : path_(path), file_(std::fopen(path.c_str(), "w")) {
  if (!file_) throw Error(concat("cannot write ", path.string(), ": ", std::strerror(errno)));
  append("{\"traceEvents\":[\n", 0);
}

void TraceFile::append(std::string_view events, std::int64_t left_out) {
  // The events end in a comma, which JSON needs something after.
  const std::string tail =
      concat(R"({"name":"events left out","ph":"C","ts":0,"pid":0,"tid":0,"args":{"count":)",
             left_out, "}}\n]}\n");
  std::FILE* const file = file_.get();
  const bool written = std::fseek(file, end_, SEEK_SET) == 0 &&
                       std::fwrite(events.data(), 1, events.size(), file) == events.size() &&
                       (end_ = std::ftell(file)) >= 0 && std::fputs(tail.c_str(), file) >= 0 &&
                       std::fflush(file) == 0;
  if (!written) {
    throw Error(concat("cannot write ", path_.string(), ": ", std::strerror(errno),
                       " (free some space, or resume with --resume auto and without --profile)"));
  }
}

}  // namespace palimpsest
