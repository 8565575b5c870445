// A network switch in software: simulated_switch PORTS DELAY_SECONDS BYTES_PER_SECOND PREFIX makes
// the tap devices PREFIX0, PREFIX1, ... and passes frames between them until it is ended. A port
// takes and gives BYTES_PER_SECOND in each direction, and a frame is DELAY_SECONDS on its way. Port
// i has the address 02:00:00:00:00:<i>. For kernels without netem.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <queue>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kLargestFrame = 65536;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int open_tap(const std::string& name) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("simulated_switch: /dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (::ioctl(fd, TUNSETIFF, &request) < 0) fail("simulated_switch: TUNSETIFF");
  return fd;
}

struct Frame {
  Clock::time_point due;
  std::uint64_t number;  // frames due at once keep their order
  std::size_t port;
  std::vector<std::uint8_t> bytes;
};

bool is_later(const Frame& a, const Frame& b) {
  return a.due != b.due ? a.due > b.due : a.number > b.number;
}

class Switch {
 public:
  Switch(std::size_t ports, double delay, double rate, const std::string& prefix)
      : delay_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(delay))),
        rate_(rate),
        in_free_(ports),
        out_free_(ports) {
    for (std::size_t port = 0; port < ports; ++port) {
      ports_.push_back({open_tap(prefix + std::to_string(port)), POLLIN, 0});
    }
  }

  [[noreturn]] void run() {
    while (true) {
      wait();
      for (std::size_t port = 0; port < ports_.size(); ++port) {
        if ((ports_[port].revents & POLLIN) != 0) take(port);
      }
      while (!frames_.empty() && frames_.top().due <= Clock::now()) {
        const Frame& frame = frames_.top();
        // A port whose queue is full loses the frame, as a real one would.
        [[maybe_unused]] const ssize_t written =
            ::write(ports_[frame.port].fd, frame.bytes.data(), frame.bytes.size());
        frames_.pop();
      }
    }
  }

 private:
  void wait() {
    timespec time{};
    if (!frames_.empty()) {
      const auto left = std::max(frames_.top().due - Clock::now(), Clock::duration(0));
      const auto ns = std::chrono::nanoseconds(left).count();
      time = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    }
    if (::ppoll(ports_.data(), ports_.size(), frames_.empty() ? nullptr : &time, nullptr) < 0) {
      fail("simulated_switch: ppoll");
    }
  }

  void take(std::size_t from) {
    std::vector<std::uint8_t> bytes(kLargestFrame);
    const ssize_t size = ::read(ports_[from].fd, bytes.data(), bytes.size());
    if (size < 14) return;
    bytes.resize(static_cast<std::size_t>(size));
    const auto passing = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(static_cast<double>(size) / rate_));
    in_free_[from] = std::max(Clock::now(), in_free_[from]) + passing;
    const Clock::time_point there = in_free_[from] + delay_;
    for (std::size_t to = 0; to < ports_.size(); ++to) {
      const bool to_all = (bytes[0] & 1) != 0;
      if (to == from || (!to_all && bytes[5] != to)) continue;
      out_free_[to] = std::max(there, out_free_[to] + passing);
      frames_.push({out_free_[to], number_++, to, bytes});
    }
  }

  Clock::duration delay_;
  double rate_;
  std::vector<pollfd> ports_;
  std::vector<Clock::time_point> in_free_, out_free_;  // when a port is done with what it has
  std::priority_queue<Frame, std::vector<Frame>, bool (*)(const Frame&, const Frame&)> frames_{
      is_later};
  std::uint64_t number_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("simulated_switch PORTS DELAY_SECONDS BYTES_PER_SECOND PREFIX\n", stderr);
    return 2;
  }
  // Before the ranks, which never sleep: otherwise a frame would wait for a processor.
  const sched_param first{.sched_priority = 10};
  if (::sched_setscheduler(0, SCHED_FIFO, &first) < 0) fail("simulated_switch: SCHED_FIFO");
  Switch all(std::strtoul(argv[1], nullptr, 10), std::strtod(argv[2], nullptr),
             std::strtod(argv[3], nullptr), argv[4]);
  std::puts("ready");
  std::fflush(stdout);
  all.run();
}
