// What earlier versions wrote stays readable: checkpoints_schema/golden/VERSION/, all of it.
#include <gmock/gmock.h>

#include <filesystem>

#include "palimpsest/format/run_folder.h"
#include "palimpsest/format/verify.h"
#include "palimpsest/report/views.h"

namespace palimpsest {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> golden_versions() {
  std::vector<std::string> versions;
  for (const auto& entry :
       fs::directory_iterator(PALIMPSEST_SOURCE_DIR "/checkpoints_schema/golden")) {
    if (entry.is_directory()) versions.push_back(entry.path().filename());
  }
  std::ranges::sort(versions);
  return versions;
}

class GoldenTest : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder_ = fs::path(PALIMPSEST_SOURCE_DIR) / "checkpoints_schema/golden" / GetParam();
};

TEST_P(GoldenTest, EveryFileIsWholeAndShown) {
  for (const char* name : {"run", "texts.h5", "images.h5", "protocol.json", "merged.h5"}) {
    if (std::string_view(name) == "merged.h5" && GetParam() < "1.2.0") continue;  // new since
    EXPECT_THAT(verify(folder_ / name).problems, testing::IsEmpty()) << name;
  }
  const RunFolder run(folder_ / "run");
  std::vector<fs::path> shown = {run.path(),        run.task_file(0),     run.task_file(1),
                                 run.state_file(1), folder_ / "texts.h5", folder_ / "images.h5"};
  if (GetParam() >= "1.2.0") shown.push_back(folder_ / "merged.h5");
  for (const fs::path& path : shown) {
    const View view = make_view(path);
    EXPECT_FALSE(view.text.empty() || view.json.empty()) << path;
  }
}

TEST_P(GoldenTest, TheRunHasTwoTasksAndAStateToContinueFrom) {
  const RunFolder run(folder_ / "run");
  EXPECT_EQ(run.manifest().value().tasks_done, 2);
  const NewestState newest = run.newest_state().value();
  EXPECT_EQ(newest.record.tasks_done, 2);
  EXPECT_EQ(newest.remark, "");
  for (std::int64_t task = 0; task < 2; ++task) {
    const TaskRecord record = run.task(task);
    EXPECT_EQ(record.classes.size(), 2);
    EXPECT_EQ(record.lora.size(), 2);
    EXPECT_EQ(record.train_samples, 12);
  }
  EXPECT_EQ(weights_hash(newest.record.merged), run.task(1).merge.weights_after);
}

INSTANTIATE_TEST_SUITE_P(Versions, GoldenTest, testing::ValuesIn(golden_versions()),
                         [](const auto& version) {
                           std::string name = "of_" + version.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace palimpsest
