#include "palimpsest/device/streams.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace palimpsest {
namespace {

c10::impl::VirtualGuardImpl device_guard(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type());
}

}  // namespace

void use_own_stream(at::Device device) {
  const auto guard = device_guard(device);
  guard.exchangeStream(guard.getStreamFromGlobalPool(device, /*isHighPriority=*/true));
}

void wait_for(at::Device device) {
  if (device.is_cpu()) return;
  const auto guard = device_guard(device);
  guard.synchronizeStream(guard.getStream(device));
}

SideStream::SideStream(at::Device device)
    : device_(device),
      stream_(device.is_cpu() ? device_guard(device).getStream(device)
                              : device_guard(device).getStreamFromGlobalPool(device)) {}

void SideStream::run(const std::function<void()>& work) {
  if (device_.is_cpu()) return work();
  const auto guard = device_guard(device_);
  const c10::Stream main = guard.exchangeStream(stream_);
  try {
    work();
  } catch (...) {
    guard.exchangeStream(main);
    throw;
  }
  c10::Event done(device_.type());
  done.record(stream_);
  guard.exchangeStream(main);
  done.block(main);
}

void SideStream::hand_over(const at::Tensor& tensor) {
  if (tensor.device().is_cpu()) return;
  tensor.record_stream(device_guard(tensor.device()).getStream(tensor.device()));
}

void Pace::queued() {
  if (device_.is_cpu()) return;
  c10::Event end(device_.type());
  end.record(device_guard(device_).getStream(device_));
  ends_.push_back(std::move(end));
  constexpr std::size_t kAhead = 2;
  if (ends_.size() <= kAhead) return;
  ends_.front().synchronize();
  ends_.pop_front();
}

}  // namespace palimpsest
