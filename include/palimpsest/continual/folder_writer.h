#pragma once
// Writes the files of a run folder in a thread of rank 0, one job after another, while the run
// continues. Nothing else writes into the folder but the logs; HDF5 has its own lock.
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>

namespace palimpsest {

class FolderWriter {
 public:
  using Action = std::function<void()>;

  // Waits for the job before, and begins to write. on_written: called in the thread that calls the
  // functions of this class, the first time after the job has succeeded. Throws as wait().
  void start(Action write, Action on_written = nullptr);

  // Whether a job is still writing.
  bool is_writing();

  // Waits for the job, and throws its error.
  void wait();

 private:
  void report_success();

  std::atomic<std::int64_t> parts_written_ = 0;
  std::atomic<bool> has_succeeded_ = false;
  Action on_written_;
  std::future<void> writing_;  // its end is waited for
};

}  // namespace palimpsest
