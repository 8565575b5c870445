#pragma once
// Work that is repeated on the same memory: queued piece by piece the first time, recorded the
// second, and started with one call from then on.
#include <functional>
#include <memory>

#include "palimpsest/comm/device_graph.h"

namespace palimpsest {

class Replay {
 public:
  // Without `make`, every run() calls its work.
  explicit Replay(MakeGraph make) : make_(std::move(make)) {}

  // `work`: always the same. What changes from run to run must be in tensors that stay where they
  // are.
  void run(const std::function<void()>& work);

 private:
  MakeGraph make_;
  bool is_warm_ = false;  // libraries set themselves up in a first call, which can't be recorded
  std::unique_ptr<DeviceGraph> graph_;
};

}  // namespace palimpsest
