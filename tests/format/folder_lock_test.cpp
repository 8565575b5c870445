// A folder belongs to one process at a time, on file systems with locks and without.
#include "palimpsest/format/folder_lock.h"

#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fixtures.h"
#include "palimpsest/core/error.h"

namespace {
int flock_errno = 0;  // what flock() fails with; 0: it is the system's
}  // namespace

extern "C" int flock(int file, int operation) noexcept {
  if (flock_errno == 0) return static_cast<int>(::syscall(SYS_flock, file, operation));
  errno = flock_errno;
  return -1;
}

namespace palimpsest {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string host() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

// Of a process that has ended and was waited for.
pid_t ended_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

class FolderLockTest : public FolderTest {
 protected:
  void TearDown() override {
    flock_errno = 0;
    ::unsetenv("SLURM_JOB_ID");
    ::unsetenv("SLURM_RESTART_COUNT");
  }
  void write_owner(const std::string& line) { std::ofstream(owner()) << line << '\n'; }
  std::filesystem::path owner() const { return at(".owner"); }
  std::string refusal() const {
    const std::string message = error_message<UsageError>([&] { FolderLock lock(folder_); });
    EXPECT_EQ(error_message<UsageError>([&] { FolderLock::check_free(folder_); }), message);
    return message;
  }
};

TEST_F(FolderLockTest, OneAtATime) {
  {
    const FolderLock lock(folder_);
    EXPECT_EQ(lock.remark(), "");
    EXPECT_FALSE(std::filesystem::exists(owner()));
    EXPECT_THAT(refusal(), HasSubstr("is in use by another run; wait for its end"));
  }
  FolderLock::check_free(folder_);
  FolderLock again(folder_);
}

TEST_F(FolderLockTest, AnOwnerFileWhereTheFileSystemRefusesLocks) {
  for (const int problem : {ENOLCK, ENOSYS, EOPNOTSUPP}) {
    flock_errno = problem;
    {
      const FolderLock lock(folder_);
      EXPECT_THAT(lock.remark(),
                  AllOf(HasSubstr("refuses locks"), HasSubstr(std::strerror(problem)),
                        HasSubstr(owner().string())));
      EXPECT_THAT(refusal(),
                  AllOf(HasSubstr("is in use by another run"),
                        HasSubstr("host " + host() + ", process " + std::to_string(::getpid())),
                        HasSubstr("delete the file")));
    }
    EXPECT_FALSE(std::filesystem::exists(owner())) << "it goes with the lock";
  }
}

TEST_F(FolderLockTest, AProcessThatEndedGivesTheFolderUp) {
  flock_errno = ENOLCK;
  write_owner(host() + " " + std::to_string(ended_process()) + " none 0");
  const FolderLock lock(folder_);
  EXPECT_THAT(refusal(), HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(FolderLockTest, OfAnotherHostNothingIsKnown) {
  flock_errno = ENOLCK;
  write_owner("elsewhere " + std::to_string(ended_process()) + " none 0");
  EXPECT_THAT(refusal(), HasSubstr("host elsewhere"));
}

TEST_F(FolderLockTest, ARequeuedJobTakesOverFromItself) {
  flock_errno = ENOLCK;
  ::setenv("SLURM_JOB_ID", "77", 1);
  write_owner("elsewhere 1 77 0");
  EXPECT_THAT(refusal(), HasSubstr("SLURM job 77")) << "another step of the job as it is";
  ::setenv("SLURM_RESTART_COUNT", "1", 1);
  FolderLock again(folder_);
}

TEST_F(FolderLockTest, AnOwnerFileCutShortIsNotTakenAway) {
  flock_errno = ENOLCK;
  std::ofstream(owner()).close();
  EXPECT_THAT(refusal(), HasSubstr("if it has ended, delete the file"));
}

}  // namespace
}  // namespace palimpsest
