#pragma once
// Long work reports progress to a listener.
#include <functional>

namespace palimpsest {

// Called by what reads, writes, hashes or computes much, after each part of it. Calls the listener
// of this thread; without one it does nothing.
void progress_made();

// Listens to the thread that makes it, as long as it lives. They nest: the innermost is called.
class ProgressListener {
 public:
  explicit ProgressListener(std::function<void()> listener);
  ~ProgressListener();
  ProgressListener(const ProgressListener&) = delete;
  ProgressListener& operator=(const ProgressListener&) = delete;

 private:
  std::function<void()> listener_;
  const std::function<void()>* outer_;
};

}  // namespace palimpsest
