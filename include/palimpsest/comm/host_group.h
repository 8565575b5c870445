#pragma once
// What the ranks of a job say to one another in host memory. Every call is collective, has a name,
// and fails instead of hanging: a watchdog ends the job when a named phase outlasts its deadline.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace palimpsest {

class Watchdog;

// Elements in one MPI message, whose counts are int; more are sent in parts.
inline constexpr std::size_t kLargestMessage = std::size_t{1} << 30;

class HostGroup {
 public:
  // Duplicates MPI_COMM_WORLD. The watchdog outlives the group. Every call throws RankLostError, or
  // Error for a wrong argument, with the call, the rank and the phase when MPI reports an error.
  explicit HostGroup(Watchdog& watchdog, std::size_t largest_message = kLargestMessage);
  ~HostGroup();
  HostGroup(const HostGroup&) = delete;
  HostGroup& operator=(const HostGroup&) = delete;

  int rank() const;
  int size() const;
  int node_rank() const;  // among the ranks of this node

  void barrier(std::string_view phase);
  // True on every rank when it is true on one.
  bool any(bool value, std::string_view phase);
  std::int64_t max(std::int64_t value, std::string_view phase);
  // Sums element by element; every rank gets the sums. Doubles are added in the order of the ranks.
  void sum(std::span<std::int64_t> values, std::string_view phase);
  void sum(std::span<double> values, std::string_view phase);
  // Bytes of `root` to all; above 2 GiB too. Every rank passes the same size.
  void broadcast(std::span<std::byte> bytes, int root, std::string_view phase);
  template <typename T, std::size_t Size>
  requires std::is_trivially_copyable_v<T>
  void broadcast(std::span<T, Size> values, int root, std::string_view phase) {
    broadcast(std::span<std::byte>(std::as_writable_bytes(values)), root, phase);
  }
  // Bytes of one rank to another; these two alone need to call it, with the same size. Nothing
  // where they are one.
  void copy(std::span<std::byte> bytes, int from, int to, std::string_view phase);
  // The size needs to be known on root only.
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void broadcast(std::vector<T>& values, int root, std::string_view phase) {
    std::uint64_t size = values.size();
    broadcast(std::span(&size, 1), root, phase);
    values.resize(size);
    broadcast(std::span(values), root, phase);
  }
  void broadcast(std::vector<std::string>& texts, int root, std::string_view phase);
  // The size needs to be known on root only.
  std::string broadcast(std::string text, int root, std::string_view phase);
  // Throws Error on every rank when the ranks' values differ, naming `what` and which rank has
  // which value.
  void agree(std::string_view value, std::string_view what, std::string_view phase);
  // Every rank's text, in rank order, on rank 0; empty elsewhere.
  std::vector<std::string> gather(std::string_view text, std::string_view phase);
  // The same of numbers, of which every rank may have another count.
  template <typename T>
  requires std::is_trivially_copyable_v<T> std::vector<std::vector<T>> gather(
      std::span<const T> values, std::string_view phase) {
    const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    std::vector<std::vector<T>> all;
    for (const std::string& part : gather(bytes, phase)) {
      all.emplace_back(part.size() / sizeof(T));
      std::memcpy(all.back().data(), part.data(), part.size());
    }
    return all;
  }

  // Every rank does its part, which may be nothing, and waits for the others for as long as theirs
  // continue: progress_made() (core/progress.h) within a part restarts the deadline of all. A part
  // that is silent for longer ends the job. No other call of the group within a part. Returns what
  // the part does.
  template <typename Part>
  auto work(std::string_view phase, const Part& part) -> decltype(part()) {
    if constexpr (std::is_void_v<decltype(part())>) {
      do_part(phase, part);
    } else {
      std::optional<decltype(part())> result;
      do_part(phase, [&] { result.emplace(part()); });
      return std::move(*result);
    }
  }

 private:
  void do_part(std::string_view phase, const std::function<void()>& part);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace palimpsest
