#pragma once
// Work of a device that is recorded once and then started with one call; and a pass through a model
// that is recorded once for each shape of its batches.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "palimpsest/comm/device_graph.h"
#include "palimpsest/data/batch.h"

namespace palimpsest {

// Work that is repeated on the same memory: queued piece by piece the first time, recorded the
// second, and started with one call from then on.
class Replay {
 public:
  // Without `make`, every run() calls its work. is_warm: it was called before.
  explicit Replay(MakeGraph make, bool is_warm = false)
      : make_(std::move(make)), is_warm_(is_warm) {}

  // `work`: always the same. What changes from run to run must be in tensors that stay where they
  // are.
  void run(const std::function<void()>& work);

 private:
  MakeGraph make_;
  bool is_warm_;  // libraries set themselves up in a first call, which can't be recorded
  std::unique_ptr<DeviceGraph> graph_;
};

class RecordedPass {
 public:
  // Besides the batch a pass may read tensors that stay where they are, and nothing of the host
  // that changes.
  using Pass = std::function<at::Tensor(const Batch& batch)>;

  // A recording keeps its batch and results on the device. A shape that comes once, as the last
  // batch of a task, has none, and neither has a shape after these.
  static constexpr std::size_t kMostRecordings = 32;

  // Without `make_graph` every call is a call of `pass`.
  RecordedPass(MakeGraph make_graph, Pass pass)
      : make_graph_(std::move(make_graph)), pass_(std::move(pass)) {}

  // What the pass returns; valid until the next call.
  at::Tensor operator()(const Batch& batch);

 private:
  struct Recording {
    Batch batch;  // where every batch of this shape is copied to
    at::Tensor result;
    Replay replay;
  };

  MakeGraph make_graph_;
  Pass pass_;
  std::set<std::vector<std::int64_t>> shapes_;                 // that came before
  std::map<std::vector<std::int64_t>, Recording> recordings_;  // by shapes
};

}  // namespace palimpsest
