#pragma once
// A run folder of small records, for tests of what is reported about runs.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "palimpsest/format/heads.h"
#include "palimpsest/format/run_folder.h"
#include "support/scored_row.h"

namespace palimpsest {

struct SmallRun {
  std::uint64_t seed = 1;
  std::string config = R"({"seed":1,"adapter":"lora","perturbation":"sign","merge":"closed-form"})";
  std::vector<std::vector<std::string>> classes = {{"a", "b"}, {"c", "d"}};  // by task
  // [task][task]: right after the merge, of 10 samples each; one more is right before it.
  std::vector<std::vector<std::int64_t>> correct = {{9}, {6, 7}};
  std::vector<std::string> others = {};  // classifiers with the same numbers
};

inline TaskRecord make_task(const SmallRun& run, std::size_t index) {
  const std::size_t tasks = index + 1;
  TaskRecord record;
  record.index = static_cast<std::int64_t>(index);
  record.name = "task " + std::to_string(tasks);
  record.classes = run.classes.at(index);
  record.train_samples = 1200;
  record.seed = run.seed;
  record.backbone_name = "tiny";
  record.backbone_sha256 = std::string(64, 'b');
  record.pack_content_sha256 = std::string(64, 'a');
  record.config = run.config;
  record.head = {.classes = 2, .features = 1, .weight = {1, 2}, .bias = {0, 0}};
  record.merge.rule = R"({"rule":"closed-form"})";
  record.merge.coefficients = {1.0 / static_cast<double>(tasks)};
  record.merge.weights_before = record.merge.weights_after = std::string(64, '0');
  record.metrics.after_merge = counted(Counts(tasks, 10), run.correct.at(index), Counts(tasks, 10));
  record.metrics.before_merge = record.metrics.after_merge;
  record.metrics.classifier = "local";
  for (double& right : score_sums(record.metrics.before_merge, "correct")) ++right;
  for (const std::string& other : run.others)
    record.metrics.others.push_back(
        {other, record.metrics.before_merge, record.metrics.after_merge});
  return record;
}

inline StateRecord make_state(const SmallRun& run, std::size_t tasks) {
  StateRecord state;
  state.tasks_done = static_cast<std::int64_t>(tasks);
  state.layout = AdaptedLayout({{.name = "block.0.key", .out = 1, .in = 1}});
  state.merged = {0.5f};
  state.backbone_sha256 = std::string(64, 'b');
  state.pack_content_sha256 = std::string(64, 'a');
  state.config = run.config;
  state.numerics = "{}";
  for (std::size_t index = 0; index < tasks; ++index) {
    const TaskRecord task = make_task(run, index);
    put_head(state.memory, task.index, task.head);
    state.classes.push_back(task.classes);
    state.accuracy.add_row(task.metrics.after_merge, task.metrics.before_merge);
  }
  for (const std::string& other : run.others) state.others.push_back({other, state.accuracy});
  return state;
}

// A folder of runs that goes with the test.
class RunsTest : public testing::Test {
 protected:
  RunsTest() : folder_(testing::TempDir() + "palimpsest_runs_" + std::to_string(getpid())) {}
  ~RunsTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path make(const std::string& name, const SmallRun& run) const {
    const RunFolder folder(folder_ / name);
    folder.create(R"({"world_size": 2, "config": {"pack": "data/it's.h5", "out": "runs/a b"}})");
    for (std::size_t index = 0; index < run.correct.size(); ++index)
      folder.commit(make_task(run, index), make_state(run, index + 1));
    return folder.path();
  }

  static std::string read_text(const std::filesystem::path& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

}  // namespace palimpsest
