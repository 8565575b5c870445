#include "palimpsest/core/progress.h"

#include <utility>

namespace palimpsest {
namespace {

thread_local const std::function<void()>* innermost = nullptr;

}  // namespace

void progress_made() {
  if (innermost != nullptr) (*innermost)();
}

ProgressListener::ProgressListener(std::function<void()> listener)
    : listener_(std::move(listener)), outer_(std::exchange(innermost, &listener_)) {}

ProgressListener::~ProgressListener() { innermost = outer_; }

}  // namespace palimpsest
