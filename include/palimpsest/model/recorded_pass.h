#pragma once
// A pass through a model whose batches come in few shapes, recorded once for each of them.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "palimpsest/data/batch.h"
#include "palimpsest/device/replay.h"

namespace palimpsest {

class RecordedPass {
 public:
  // Besides the batch a pass may read tensors that stay where they are, and nothing of the host
  // that changes.
  using Pass = std::function<at::Tensor(const Batch& batch)>;

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
  std::map<std::vector<std::int64_t>, Recording> recordings_;  // by shapes
};

}  // namespace palimpsest
