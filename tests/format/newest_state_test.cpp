// Who reads a run takes its newest state or nothing, and the files that the manifest names.
#include <functional>

#include "fixtures.h"
#include "palimpsest/format/run_folder.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class NewestStateTest : public FolderTest {
 protected:
  void commit_up_to(std::int64_t last) const {
    run_.create("{}");
    for (std::int64_t task = 0; task <= last; ++task)
      run_.commit(sample_task(task), sample_state(task + 1));
  }
  void damage(const std::filesystem::path& path) const {
    std::string bytes = read_bytes(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    write_bytes(path, bytes);
  }

  RunFolder run_{folder_ / "run"};
};

TEST_F(NewestStateTest, ADamagedNewestStateIsRefusedByNameWithWhatToDo) {
  commit_up_to(2);
  damage(run_.state_file(2));
  for (const auto& read : std::vector<std::function<void()>>{[&] { run_.newest_state(); },
                                                             [&] { run_.check_newest(); }}) {
    EXPECT_THAT(error_message<InputError>(read),
                AllOf(HasSubstr("its newest state, state-0002.h5 (after 3 tasks), can't be used"),
                      HasSubstr("expected SHA-256"),
                      HasSubstr("give an older state itself, " + run_.state_file(1).string()),
                      HasSubstr("--resume auto")));
  }
}

TEST_F(NewestStateTest, OfTheNewestTasksRecordOnlyWhoReadsTasksComplains) {
  commit_up_to(1);
  damage(run_.task_file(1));
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 2);
  EXPECT_THAT(error_message<InputError>([&] { run_.check_newest(); }), HasSubstr("task-0001.h5"));
}

TEST_F(NewestStateTest, AFileGivenItselfIsTheOneThatTheManifestNames) {
  commit_up_to(1);
  for (const std::filesystem::path& file :
       {run_.state_file(0), run_.state_file(1), run_.task_file(0), run_.task_file(1)})
    check_named_file(file);
  const auto replace = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(run_.state_file(0), run_.state_file(1), replace);
  std::filesystem::copy_file(run_.task_file(1), run_.task_file(0), replace);
  for (const std::filesystem::path& file : {run_.state_file(1), run_.task_file(0)}) {
    EXPECT_THAT(error_message<InputError>([&] { check_named_file(file); }),
                AllOf(HasSubstr(file.string()), HasSubstr("manifest.json")));
  }
  std::filesystem::copy_file(run_.state_file(0), run_.path() / "kept.h5");
  check_named_file(run_.path() / "kept.h5");  // the manifest doesn't know it
}

TEST_F(NewestStateTest, SaysWhatIsThereInsteadOfARun) {
  commit_up_to(0);
  const std::filesystem::path folder = run_.path();
  EXPECT_THAT(describe_missing_run(folder / "none"), "nothing there");
  EXPECT_THAT(describe_missing_run(run_.state_file(0)), "a file");
  EXPECT_THAT(describe_missing_run(folder / "tasks"),
              AllOf(HasSubstr("a part of the run folder"), HasSubstr(folder.string())));
  EXPECT_THAT(describe_missing_run(folder.parent_path()),
              "a folder of 1 run: give " + folder.string());
}

}  // namespace
}  // namespace palimpsest
