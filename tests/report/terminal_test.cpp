// What a person sees of a run, on a terminal and in a log.
#include "palimpsest/report/terminal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <sstream>

#include "support/scored_row.h"

namespace palimpsest {
namespace {

// Never as the controlling terminal of this process, whose end would be the process's own.
std::FILE* opened(const char* terminal) {
  const int file = open(terminal, O_RDWR | O_NOCTTY);
  return file < 0 ? nullptr : fdopen(file, "r+");
}

using testing::HasSubstr;
using testing::Not;

// A FILE that keeps what is written to it.
class Screen {
 public:
  Screen() : file_(open_memstream(&text_, &size_)) {}
  ~Screen() {
    std::fclose(file_);
    std::free(text_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

std::string shown(const TerminalSettings& settings, int steps = 100) {
  Screen screen;
  {
    TerminalReport report(screen.file(), settings);
    RunEvents events;
    events.add(report);
    events.publish(RunStarted{.folder = "runs/a",
                              .tasks = 6,
                              .world_size = 2,
                              .lanes = 4,
                              .device = "cpu",
                              .pack_content_sha256 = std::string(64, 'a'),
                              .backbone_sha256 = std::string(64, 'b'),
                              .adapted_weights = 1769472,
                              .trained_parameters = 94470,
                              .resumed_after_task = 0});
    events.publish(TaskStarted{
        .task = 1, .classes = {"admin", "net", "python"}, .samples = 360, .steps = 100});
    for (int step = 0; step < steps; ++step) {
      events.publish(StepDone{
          .task = 1, .step = step, .steps = 100, .loss = 1.25, .samples = 16, .seconds = 0.5});
    }
    if (steps == 100) {
      events.publish(
          TaskTrained{.task = 1, .loss_first_step = 1.792, .loss_last_pass = 0.031, .seconds = 93});
      events.publish(Evaluated{.task = 1, .row = counted({100, 100}, {60, 83}, {90, 90})});
      Merged merged;
      merged.task = 1;
      merged.alpha = 0.01;
      merged.remark =
          "The merge all but discards this task: its Fisher mass along Delta is 1e-9, that of the "
          "tasks before it 4e-2.";
      events.publish(merged);
      events.publish(Evaluated{
          .task = 1, .after_merge = true, .row = counted({100, 100}, {79, 61}, {90, 90})});
      events.publish(TaskLearned{.task = 1});
      events.publish(RunFinished{.seconds = 3725});
    }
  }
  return screen.text();
}

TEST(Terminal, SaysFromWhereToWhereSeveralAlphasGo) {
  Screen screen;
  TerminalReport report(screen.file(), {});
  Merged merged;
  merged.alpha = 0.5;
  merged.alpha_range = {0.25, 0.75};
  report.on(merged);
  report.on(TaskLearned{});
  EXPECT_THAT(screen.text(), testing::HasSubstr("merged    alpha 0.500 (0.250 to 0.750), "));
}

TEST(Terminal, SaysWhatAPartRemarks) {
  Screen screen;
  TerminalReport report(screen.file(), {});
  report.on(Remark{.task = 0, .text = "classifier ridge: lambda is 0.1"});
  EXPECT_THAT(screen.text(), testing::HasSubstr("  classifier ridge: lambda is 0.1\n"));
}

TEST(Terminal, SaysWhatAMergeCostItsTask) {
  Screen screen;
  TerminalReport report(screen.file(), {});
  report.on(Merged{});
  report.on(ErrorBudget{.task = 0, .rise_predicted = 0.25, .rise_measured = 0.5});
  report.on(TaskLearned{});
  EXPECT_THAT(screen.text(),
              testing::HasSubstr("the merge cost the task 0.5000 nats of its training loss; its "
                                 "quadratic predicted 0.2500\n"));
}

TEST(Terminal, LogHasPlainLinesAndTheResultOfATask) {
  EXPECT_EQ(
      shown({.log_every = 40}),
      "6 tasks on 2 ranks, 4 lanes, cpu, into runs/a\n"
      "1,769,472 adapted weights, 94,470 parameters trained per task; backbone bbbbbbbbbbbb, "
      "pack aaaaaaaaaaaa\n"
      "resumed after task 1\n"
      "\n"
      "task 2 of 6: admin, net, python\n"
      "  360 samples, 100 steps\n"
      "  step  40/100  loss 1.2500  32 samples/s  0:30 left\n"
      "  step  80/100  loss 1.2500  32 samples/s  0:10 left\n"
      "  step 100/100  loss 1.2500  32 samples/s  0:00 left\n"
      "  trained   loss 1.792 -> 0.031 in 1:33\n"
      "  merged    alpha 0.010, accuracy on this task 83.0 -> 61.0 %, on all so far 71.5 -> "
      "70.0 %\n"
      "            The merge all but discards this task: its Fisher mass along Delta is 1e-9, "
      "that of the\n"
      "            tasks before it 4e-2.\n"
      "\n"
      "done in 1:02:05\n"
      "\n");
}

TEST(Terminal, HeadsWithTheAccuracyGivenTheTask) {
  EXPECT_THAT(shown({.task_given = true}),
              HasSubstr("accuracy on this task 90.0 -> 90.0 %, on all so far 90.0 -> 90.0 %"));
}

TEST(Terminal, NoneLeavesTheStepsOut) {
  const std::string text = shown({.steps = TerminalSettings::Steps::kNone});
  EXPECT_THAT(text, Not(HasSubstr("samples/s")));
  EXPECT_THAT(text, HasSubstr("merged"));
}

TEST(Terminal, BarIsDrawnOverItselfAndClearedBeforeTheNextLine) {
  const std::string text = shown({.steps = TerminalSettings::Steps::kBar});
  EXPECT_THAT(text, HasSubstr("\r  [" + std::string(40, '=') + "]  100/100  loss 1.2500"));
  EXPECT_THAT(text, HasSubstr("\r\x1b[K  trained"));
}

TEST(Terminal, ARunThatEndsMidwayLeavesNoHalfDrawnBar) {
  const std::string text = shown({.steps = TerminalSettings::Steps::kBar}, 1);
  EXPECT_EQ(text.back(), '\n');
}

TEST(Terminal, BarNeverReachesTheLastColumn) {
  for (const int width : {40, 60, 80, 100, 120}) {
    std::istringstream lines(shown({.steps = TerminalSettings::Steps::kBar, .width = width}));
    for (std::string line; std::getline(lines, line, '\r');) {
      const std::size_t end = line.find("\x1b[K");
      if (end == std::string::npos) continue;
      // Colour is off, so that every byte is a column.
      EXPECT_LT(end, static_cast<std::size_t>(width)) << line;
    }
  }
}

TEST(Terminal, ColourOnlyWhereItIsRequested) {
  EXPECT_THAT(shown({.colour = true}), HasSubstr("\x1b[33m"));
  EXPECT_THAT(shown({}), Not(HasSubstr("\x1b")));
}

TEST(Terminal, AFileGetsPlainLinesWithoutColour) {
  std::FILE* const file = std::tmpfile();
  const TerminalSettings settings = terminal_settings(file, {.every = 7});
  std::fclose(file);
  EXPECT_EQ(settings.steps, TerminalSettings::Steps::kPlain);
  EXPECT_FALSE(settings.colour);
  EXPECT_EQ(settings.log_every, 7);
}

TEST(Terminal, TheBarFollowsTheWindow) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  std::FILE* terminal = nullptr;
  if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
    terminal = opened(ptsname(master));
  if (terminal == nullptr) GTEST_SKIP() << "this system gives out no pseudo-terminals";
  std::optional<TerminalReport> report(
      std::in_place, terminal,
      TerminalSettings{.steps = TerminalSettings::Steps::kBar, .width = 100});
  const auto drawn_at = [&](unsigned short columns) {
    winsize size{.ws_row = 30, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(ioctl(fileno(terminal), TIOCSWINSZ, &size), 0);
    report->on(StepDone{.task = 0, .step = 99, .steps = 100, .loss = 1.25, .seconds = 0.5});
    char text[400];
    const ssize_t bytes = read(master, text, sizeof text);
    return std::string(text, bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  };
  EXPECT_THAT(drawn_at(100), HasSubstr("[" + std::string(40, '=') + "]"));
  const std::string narrow = drawn_at(56);
  EXPECT_THAT(narrow, HasSubstr("100/100"));
  EXPECT_LT(narrow.find("\x1b[K"), 56u);
  report.reset();  // writes its end
  std::fclose(terminal);
  close(master);
}

TEST(Terminal, ATerminalGetsBarAndColourUnlessNoColorIsSet) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
    GTEST_SKIP() << "this system gives out no pseudo-terminals";
  }
  std::FILE* const terminal = opened(ptsname(master));
  if (terminal == nullptr)
    GTEST_SKIP() << "this system's pseudo-terminals can't be opened (no /dev/pts)";
  winsize size{.ws_row = 30, .ws_col = 72, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(ioctl(fileno(terminal), TIOCSWINSZ, &size), 0);
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  const TerminalSettings coloured = terminal_settings(terminal, {});
  EXPECT_EQ(coloured.steps, TerminalSettings::Steps::kBar);
  EXPECT_TRUE(coloured.colour);
  EXPECT_EQ(coloured.width, 72);
  EXPECT_EQ(terminal_settings(terminal, {.kind = ProgressSettings::Kind::kPlain}).steps,
            TerminalSettings::Steps::kPlain);
  EXPECT_EQ(terminal_settings(terminal, {.kind = ProgressSettings::Kind::kNone}).steps,
            TerminalSettings::Steps::kNone);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(terminal_settings(terminal, {}).colour);
  setenv("TERM", "dumb", 1);
  EXPECT_EQ(terminal_settings(terminal, {}).steps, TerminalSettings::Steps::kPlain);
  std::fclose(terminal);
  close(master);
}

}  // namespace
}  // namespace palimpsest
