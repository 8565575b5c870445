#pragma once
// The queues of a device: one of high priority that computes, one beside it that prepares what is
// computed next, and how far the host may run ahead of them. In host memory all of it is done at
// once.
#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <deque>
#include <functional>

namespace palimpsest {

// From now on this thread queues on a high-priority stream of the device. Work can't be recorded on
// the default one.
void use_own_stream(at::Device device);

// Until all that was queued on the current stream is done.
void wait_for(at::Device device);

// The queue beside the one that computes.
class SideStream {
 public:
  explicit SideStream(at::Device device);

  // Calls `work`, whose device work runs beside what was queued before; what is queued afterwards
  // waits for it.
  void run(const std::function<void()>& work);

  // After run(), for each tensor that was made there: once it ends, its memory waits for what the
  // current stream still does with it.
  static void hand_over(const at::Tensor& tensor);

 private:
  at::Device device_;
  c10::Stream stream_;
};

// Lets the host queue at most two pieces of work ahead: each needs its memory until it is done.
class Pace {
 public:
  explicit Pace(at::Device device) : device_(device) {}

  // After each piece.
  void queued();

 private:
  at::Device device_;
  std::deque<c10::Event> ends_;
};

}  // namespace palimpsest
