// What ranks exchange in a training step, without the step: exchange_time MACHINE_FILE LANES
// NUMBERS STEPS adds vectors of NUMBERS float32, one from each lane (LANES: a number, or "ranks"),
// and agrees, as the training loop does. Rank 0 prints seconds as JSON: the median measured, and
// what the plan for MACHINE_FILE predicts.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "palimpsest/comm/collectives.h"
#include "palimpsest/comm/guarded_run.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/plan/exchange.h"
#include "palimpsest/session/lanes.h"

namespace palimpsest {
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

int run(const std::vector<std::string>& arguments, HostGroup& group, Watchdog& watchdog) {
  if (arguments.size() != 4) throw UsageError("exchange_time MACHINE_FILE LANES NUMBERS STEPS");
  const Machine machine = open_machine(arguments[0]);
  const bool ordered = arguments[1] != "ranks";
  const Lanes lanes{.count = ordered ? std::stoll(arguments[1]) : group.size(), .ordered = ordered};
  const std::int64_t numbers = std::stoll(arguments[2]), steps = std::stoll(arguments[3]);

  const auto collectives = make_mpi_collectives(watchdog);
  LaneSum sums(*collectives, lanes, numbers, at::kFloat, at::kCPU);
  std::vector<double> seconds;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Stopwatch watch;
    sums.reduce();
    group.max(step, "agreement after a step");
    seconds.push_back(watch.seconds());
  }
  if (group.rank() != 0) return 0;

  const double bytes = sizeof(float) * static_cast<double>(numbers);
  ExchangeCost planned = ordered ? ordered_exchange(bytes, lanes.count, group.size(), machine)
                                 : all_reduce(bytes, group.size(), machine);
  planned.latency += agreement(group.size(), machine).latency;
  std::cout << "{\"measured\": " << median(seconds) << ", \"planned\": " << planned.seconds()
            << ", \"latency\": " << planned.latency << ", \"transfer\": " << planned.transfer
            << "}\n";
  return 0;
}

}  // namespace
}  // namespace palimpsest

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return palimpsest::run_guarded([&](palimpsest::HostGroup& group, palimpsest::Watchdog& watchdog) {
    return palimpsest::run(arguments, group, watchdog);
  });
}
