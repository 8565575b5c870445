#pragma once
// The heartbeat file: a few fixed lines of `key value` in a mapped page, which survive the process
// that wrote them.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

class Heartbeat {
 public:
  // Makes folder/rank-NNNN with rank, host and pid filled in. From then on SIGTERM marks the end,
  // then has its usual effect. One per process. Throws Error.
  Heartbeat(const std::filesystem::path& folder, int rank);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // `key` is one of the file's; a longer value is cut at its front.
  void set(std::string_view key, std::string_view value);
  // Sets `end`, unless it is set already.
  void end(std::string_view mark);

 private:
  std::span<char> page_;
};

// As Heartbeat::end() of this process's heartbeat, if it has one. May be called by a signal
// handler.
void mark_heartbeat(std::string_view mark);

// What a heartbeat file says; -1 or an empty text where it says nothing.
struct HeartbeatRecord {
  int rank = -1;
  std::string host, phase, end;
  int task = -1;
  std::int64_t step = -1;
  std::string collective;  // the last one begun
  std::int64_t time = -1;  // of the last sign of life, seconds since 1970
};

// Every rank-* file in the folder, by rank.
std::vector<HeartbeatRecord> read_heartbeats(const std::filesystem::path& folder);

}  // namespace palimpsest
