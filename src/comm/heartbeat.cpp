#include "heartbeat.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

#include "mpi_check.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

struct Line {
  std::string_view key;
  std::size_t width;
};
constexpr std::array<Line, 9> kLines = {{{"rank", 8},
                                         {"host", 64},
                                         {"pid", 10},
                                         {"phase", 200},
                                         {"task", 10},
                                         {"step", 20},
                                         {"collective", 48},
                                         {"time", 20},
                                         {"end", 12}}};

std::string blank_page() {
  std::string page;
  for (const Line& line : kLines)
    page += std::string(line.key) + " " + std::string(line.width, ' ') + "\n";
  return page;
}

std::span<char> value_field(std::span<char> page, std::string_view key) {
  std::size_t offset = 0;
  for (const Line& line : kLines) {
    if (line.key == key) return page.subspan(offset + line.key.size() + 1, line.width);
    offset += line.key.size() + line.width + 2;
  }
  throw Error(concat("a heartbeat has no field '", key, "'"));
}

void write_mark(std::span<char> field, std::string_view mark) {
  if (field[0] == ' ') std::memcpy(field.data(), mark.data(), std::min(mark.size(), field.size()));
}

// The only place where a signal handler finds its field.
std::atomic<char*> end_field_on_sigterm = nullptr;

extern "C" void mark_and_end(int signal) {
  mark_heartbeat("terminated");
  raise(signal);  // SA_RESETHAND has put the default action back
}

std::span<char> map_page(const std::filesystem::path& file) {
  const auto fail = [&](const char* step) {
    throw Error(concat("heartbeat ", file.string(), ": cannot ", step, " it (",
                       std::strerror(errno),
                       "). PALIMPSEST_HEARTBEATS must name a folder that can be written"));
  };
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  std::filesystem::remove(file, ignored);
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) fail("create");
  const std::string page = blank_page();
  const bool written =
      write(descriptor, page.data(), page.size()) == static_cast<ssize_t>(page.size());
  void* mapped = written
                     ? mmap(nullptr, page.size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
                     : MAP_FAILED;
  if (mapped == MAP_FAILED) fail(written ? "map" : "write");
  close(descriptor);
  return {static_cast<char*>(mapped), page.size()};
}

std::int64_t number(const std::map<std::string, std::string>& fields, const char* key) {
  const auto found = fields.find(key);
  if (found == fields.end() || found->second.empty()) return -1;
  return std::strtoll(found->second.c_str(), nullptr, 10);
}

}  // namespace

Heartbeat::Heartbeat(const std::filesystem::path& folder, int rank) {
  std::array<char, 16> name{};
  std::snprintf(name.data(), name.size(), "rank-%04d", rank);
  page_ = map_page(folder / name.data());
  set("rank", std::to_string(rank));
  set("host", host_name());
  set("pid", std::to_string(getpid()));

  end_field_on_sigterm = value_field(page_, "end").data();
  struct sigaction now {};
  sigaction(SIGTERM, nullptr, &now);
  // Without a launcher SIGTERM is a request to stop (stop_request.h), and ends nothing by itself.
  if (now.sa_handler == SIG_DFL)
    handle_signal(SIGTERM, mark_and_end, static_cast<int>(SA_RESETHAND));
}

Heartbeat::~Heartbeat() {
  end_field_on_sigterm = nullptr;
  munmap(page_.data(), page_.size());
}

void Heartbeat::set(std::string_view key, std::string_view value) {
  const std::span<char> field = value_field(page_, key);
  if (value.size() > field.size()) value.remove_prefix(value.size() - field.size());
  std::memcpy(field.data(), value.data(), value.size());
  std::fill(field.begin() + static_cast<std::ptrdiff_t>(value.size()), field.end(), ' ');
}

void Heartbeat::end(std::string_view mark) { write_mark(value_field(page_, "end"), mark); }

void mark_heartbeat(std::string_view mark) {
  if (char* field = end_field_on_sigterm) write_mark({field, kLines.back().width}, mark);
}

std::vector<HeartbeatRecord> read_heartbeats(const std::filesystem::path& folder) {
  std::vector<HeartbeatRecord> records;
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(folder, unreadable)) {
    if (!entry.path().filename().string().starts_with("rank-")) continue;
    std::map<std::string, std::string> fields;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      line.erase(line.find_last_not_of(' ') + 1);
      const std::size_t space = line.find(' ');
      if (space != std::string::npos) fields[line.substr(0, space)] = line.substr(space + 1);
    }
    records.push_back({.rank = static_cast<int>(number(fields, "rank")),
                       .host = fields["host"],
                       .phase = fields["phase"],
                       .end = fields["end"],
                       .task = static_cast<int>(number(fields, "task")),
                       .step = number(fields, "step"),
                       .collective = fields["collective"],
                       .time = number(fields, "time")});
  }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return a.rank < b.rank; });
  return records;
}

}  // namespace palimpsest
