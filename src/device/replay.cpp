#include "palimpsest/device/replay.h"

namespace palimpsest {

void Replay::run(const std::function<void()>& work) {
  if (!make_ || !is_warm_) {
    work();
    is_warm_ = true;
    return;
  }
  if (!graph_) {
    std::unique_ptr<DeviceGraph> graph = make_();
    graph->record(work);
    graph_ = std::move(graph);
  }
  graph_->launch();
}

}  // namespace palimpsest
