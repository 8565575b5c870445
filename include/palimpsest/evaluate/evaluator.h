#pragma once
// Accuracy over all classes seen: argmax over the concatenated logits of every task's head, no task
// identity.
#include <cstdint>
#include <span>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/data/sample_reader.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/device/replay.h"
#include "palimpsest/format/records.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/model/backbone.h"

namespace palimpsest {

// Collective. Test sets of `tasks` (those seen) under the model as it is; heads[j] belongs to
// tasks[j], or the only head to all of them. Chunks of `chunk` samples are dealt over the ranks:
// every sample is counted once. The same counts on every rank. Throws Stopped, on every rank alike,
// between two chunks.
EvaluationRow evaluate(const Backbone& model, const SampleReader& reader,
                       std::span<const Task> tasks, std::span<const Head> heads, std::int64_t chunk,
                       HostGroup& group, Watchdog& watchdog, const StopRequest& stop,
                       const MakeGraph& make_graph = {});

}  // namespace palimpsest
