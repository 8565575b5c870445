#pragma once
// Work that a device was given once, kept as a whole, and started again with one call: a CUDA
// graph.
#include <functional>
#include <memory>

namespace palimpsest {

class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;

  // Calls `work` and keeps what it queues on the current stream instead of running it. `work` may
  // read no result, and later launches see the same memory and the same host numbers.
  virtual void record(const std::function<void()>& work) = 0;

  // Queues on the current stream what was recorded.
  virtual void launch() = 0;
};

// Null where work is not recorded: on processors, or where the user said so.
using MakeGraph = std::function<std::unique_ptr<DeviceGraph>()>;

}  // namespace palimpsest
