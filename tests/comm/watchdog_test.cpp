#include "palimpsest/comm/watchdog.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <stdexcept>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/mpi_session.h"
#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

std::map<std::string, std::string> read_fields(const std::filesystem::path& file) {
  std::map<std::string, std::string> fields;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::size_t space = line.find(' ');
    const std::size_t end = line.find_last_not_of(' ');
    fields[line.substr(0, space)] = end > space ? line.substr(space + 1, end - space) : "";
  }
  return fields;
}

struct HeartbeatTest : testing::Test {
  HeartbeatTest()
      : folder(std::filesystem::temp_directory_path() /
               ("palimpsest-heartbeat-" + std::to_string(getpid()))) {}
  ~HeartbeatTest() override { std::filesystem::remove_all(folder); }
  const std::filesystem::path folder;
};

TEST(WatchdogTest, PositionNamesPhasesFromTheOutermostIn) {
  Watchdog watchdog(0);
  EXPECT_EQ(watchdog.position(), "");
  const Watchdog::Phase outer(watchdog, "training");
  EXPECT_EQ(watchdog.position(), "phase 'training'");
  watchdog.at(2, 117);
  {
    const Watchdog::Phase inner(watchdog, "exchange");
    EXPECT_EQ(watchdog.position(), "phase 'training > exchange', task 2, step 117");
  }
  EXPECT_EQ(watchdog.position(), "phase 'training', task 2, step 117");
}

TEST(WatchdogTest, PositionAfterAnExceptionIsWhereItWasThrown) {
  Watchdog watchdog(0);
  try {
    const Watchdog::Phase outer(watchdog, "training");
    const Watchdog::Phase inner(watchdog, "exchange");
    throw std::runtime_error("lost");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(watchdog.position(), "phase 'training > exchange'");
  }
  const Watchdog::Phase next(watchdog, "evaluation");
  EXPECT_EQ(watchdog.position(), "phase 'evaluation'");
}

TEST(WatchdogTest, ProgressRestartsTheClock) {
  Watchdog watchdog(0.5);
  const Watchdog::Phase training(watchdog, "training");
  for (int step = 0; step < 4; ++step) {
    usleep(300'000);
    if (step % 2 == 0) {
      watchdog.at(0, step);
    } else {
      const Watchdog::Phase inner(watchdog, "exchange");
    }
  }
}

TEST(WatchdogTest, APhaseMayHaveAMultipleOfTheDeadlineOrNone) {
  Watchdog watchdog(0.1);
  {
    const Watchdog::Phase merge(watchdog, "merge", 10);
    usleep(400'000);
  }
  const Watchdog::Phase save(watchdog, "save", 0);
  usleep(400'000);
}

TEST_F(HeartbeatTest, NamesRankAndPhase) {
  Watchdog watchdog(0);
  watchdog.write_heartbeat(folder, 3);
  watchdog.at(2, 117);
  { const Watchdog::Phase phase(watchdog, "a rather long name of a phase"); }
  const Watchdog::Phase phase(watchdog, "merge");
  const auto fields = read_fields(folder / "rank-0003");
  EXPECT_EQ(fields.at("rank"), "3");
  EXPECT_EQ(fields.at("pid"), std::to_string(getpid()));
  EXPECT_EQ(fields.at("phase"), "merge");
  EXPECT_EQ(fields.at("task"), "2");
  EXPECT_EQ(fields.at("step"), "117");
  EXPECT_EQ(fields.at("end"), "");
  EXPECT_FALSE(fields.at("host").empty());
  EXPECT_NEAR(std::stod(fields.at("time")), static_cast<double>(std::time(nullptr)), 2);
}

TEST_F(HeartbeatTest, MarksARegularEnd) {
  {
    Watchdog watchdog(0);
    watchdog.write_heartbeat(folder, 0);
  }
  EXPECT_EQ(read_fields(folder / "rank-0000").at("end"), "done");
}

TEST_F(HeartbeatTest, TheFirstMarkStays) {
  {
    Watchdog watchdog(0);
    watchdog.write_heartbeat(folder, 0);
    watchdog.end("error");
  }
  EXPECT_EQ(read_fields(folder / "rank-0000").at("end"), "error");
}

TEST_F(HeartbeatTest, AFolderThatCannotBeWrittenIsAnError) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "file") << "in the way";
  Watchdog watchdog(0);
  try {
    watchdog.write_heartbeat(folder / "file", 0);
    ADD_FAILURE() << "a file is no folder";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("rank-0000"),
                                             testing::HasSubstr("PALIMPSEST_HEARTBEATS")));
  }
}

TEST(SrunTest, TasksCountOnlyWhereSrunIsTheLauncher) {
  using Variables = std::map<std::string, const char*>;
  const auto tasks = [](const Variables& variables) {
    return srun_tasks(
        [&](const char* name) { return variables.contains(name) ? variables.at(name) : nullptr; });
  };
  EXPECT_EQ(tasks({}), std::nullopt);
  EXPECT_EQ(tasks({{"SLURM_NTASKS", "4"}}), std::nullopt);  // a batch script
  const Variables step = {{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}, {"SLURM_STEP_ID", "0"}};
  EXPECT_EQ(tasks(step), 4);
  Variables part = step;
  part["SLURM_STEP_NUM_TASKS"] = "2";
  EXPECT_EQ(tasks(part), 2);
  Variables mpirun = step;
  mpirun["OMPI_COMM_WORLD_SIZE"] = "2";
  EXPECT_EQ(tasks(mpirun), std::nullopt);
  Variables hydra = step;
  hydra["MPI_LOCALNRANKS"] = "2";
  EXPECT_EQ(tasks(hydra), std::nullopt);
}

}  // namespace
}  // namespace palimpsest
