#include "palimpsest/comm/phase_log.h"

#include <gmock/gmock.h>

#include <random>

#include "palimpsest/comm/watchdog.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;

auto is(const char* name, bool is_collective, int task, std::int64_t step) {
  return AllOf(Field(&PhaseEvent::name, name), Field(&PhaseEvent::is_collective, is_collective),
               Field(&PhaseEvent::task, task), Field(&PhaseEvent::step, step));
}

TEST(PhaseLogTest, HearsFromTheWatchdog) {
  Watchdog watchdog(0);
  PhaseLog log(100);
  {
    const Watchdog::Phase before(watchdog, "before the log");
    watchdog.set_phase_log(&log);
  }
  watchdog.at(1, 1);
  {
    const Watchdog::Phase step(watchdog, "step");
    watchdog.at(1, 2);
    const Watchdog::Phase sum(watchdog, "sum");
    watchdog.collective("sum");
  }
  watchdog.set_phase_log(nullptr);
  { const Watchdog::Phase after(watchdog, "after the log"); }
  EXPECT_THAT(log.take_events(), ElementsAre(is("sum", true, 1, 2), is("step", false, 1, 1)));
  EXPECT_THAT(log.take_events(), ElementsAre());
}

TEST(PhaseLogTest, KeepsTheFirstEventsAndTotalsAll) {
  PhaseLog log(2);
  for (int i = 0; i < 5; ++i) {
    log.begin("step");
    log.end();
  }
  EXPECT_EQ(log.take_events().size(), 2u);
  EXPECT_EQ(log.left_out(), 3);
  EXPECT_EQ(log.totals().at({"step", false}).times, 5);
  log.begin("step");
  log.end();
  EXPECT_EQ(log.take_events().size(), 0u);
}

// Own times add up to the outermost phase, and every phase lies within the one around it.
TEST(PhaseLogTest, OwnTimesOfRandomNestingsAddUp) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 1000; ++trial) {
    PhaseLog log(1000);
    log.begin("all");
    int depth = 1;
    for (int i = 0; i < 50; ++i) {
      if (depth > 1 && random() % 2 == 0) {
        log.end();
        --depth;
      } else {
        log.begin(random() % 2 == 0 ? "a" : "b");
        if (random() % 2 == 0) log.mark_collective();
        ++depth;
      }
    }
    for (; depth > 0; --depth) log.end();
    log.end();  // nothing is open
    const std::vector<PhaseEvent> events = log.take_events();
    const PhaseEvent& all = events.back();
    ASSERT_EQ(all.name, "all");
    std::int64_t own = 0;
    for (const auto& [phase, total] : log.totals()) own += total.own;
    EXPECT_EQ(own, all.duration);
    for (const PhaseEvent& event : events) {
      EXPECT_GE(event.duration, 0);
      EXPECT_GE(event.begin, all.begin);
      EXPECT_LE(event.begin + event.duration, all.begin + all.duration);
    }
  }
}

}  // namespace
}  // namespace palimpsest
