#include "palimpsest/continual/folder_writer.h"

#include <chrono>
#include <utility>

#include "palimpsest/core/progress.h"

namespace palimpsest {

void FolderWriter::start(Action write, Action on_written) {
  wait();
  on_written_ = std::move(on_written);
  writing_ = std::async(std::launch::async, [this, write = std::move(write)]() mutable {
    const ProgressListener listener([this] { ++parts_written_; });
    std::exchange(write, nullptr)();  // what it has copied is freed
    has_succeeded_ = true;
  });
}

bool FolderWriter::is_writing() {
  const bool is_over =
      !writing_.valid() || writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  if (is_over) report_success();
  return !is_over;
}

void FolderWriter::wait() {
  std::int64_t seen = parts_written_;
  while (is_writing()) {
    writing_.wait_for(std::chrono::milliseconds(100));
    const std::int64_t now = parts_written_;
    if (now != seen) progress_made();
    seen = now;
  }
  if (writing_.valid()) writing_.get();
}

void FolderWriter::report_success() {
  if (has_succeeded_.exchange(false) && on_written_) std::exchange(on_written_, nullptr)();
}

}  // namespace palimpsest
