#pragma once
// What every pass over a task works with: the run's model, data and ranks.
#include "palimpsest/comm/collectives.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/core/run_events.h"
#include "palimpsest/data/sample_reader.h"
#include "palimpsest/device/replay.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/train/lanes.h"

namespace palimpsest {

struct TrainingContext {
  const RunConfig& config;
  Lanes lanes;
  SampleReader reader;
  Backbone& model;
  HostGroup& group;
  Collectives& collectives;  // for tensors where the model is
  Watchdog& watchdog;
  const StopRequest& stop;
  const RunEvents& events;    // without listeners on all ranks but 0
  MakeGraph make_graph = {};  // for passes that repeat
};

}  // namespace palimpsest
