#include <algorithm>
#include <ctime>

#include "palimpsest/doctor/measure.h"

namespace palimpsest {
namespace {

constexpr int kTrips = 10;

double now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Line {
  Collectives& collectives;
  int peer;

  void send(double value) {
    const Transfer transfer{peer, {&value, 1, DataType::kFloat64, nullptr}};
    collectives.exchange({&transfer, 1}, {});
  }
  double receive() {
    double value = 0;
    const Transfer transfer{peer, {&value, 1, DataType::kFloat64, nullptr}};
    collectives.exchange({}, {&transfer, 1});
    return value;
  }
};

ClockOffset ask(Line line) {
  std::vector<RoundTrip> trips(kTrips);
  for (RoundTrip& trip : trips) {
    trip.sent = now();
    line.send(trip.sent);
    trip.answered = line.receive();
    trip.received = now();
  }
  return offset_from(trips);
}

void answer(Line line) {
  for (int trip = 0; trip < kTrips; ++trip) {
    line.receive();
    line.send(now());
  }
}

}  // namespace

ClockOffset offset_from(std::span<const RoundTrip> trips) {
  const auto length = [](const RoundTrip& trip) { return trip.received - trip.sent; };
  const RoundTrip& best = *std::ranges::min_element(trips, {}, length);
  return {.offset = best.answered - (best.sent + best.received) / 2,
          .uncertainty = length(best) / 2};
}

std::vector<ClockOffset> clock_offsets(Collectives& collectives) {
  if (collectives.rank() != 0) {
    answer({collectives, 0});
    return {};
  }
  std::vector<ClockOffset> offsets(1);
  for (int rank = 1; rank < collectives.size(); ++rank) offsets.push_back(ask({collectives, rank}));
  return offsets;
}

}  // namespace palimpsest
