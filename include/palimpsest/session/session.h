#pragma once
// What every pass over samples works with: settings, ranks, samples, device and backbone. A run, an
// evaluation of saved weights and the measured steps of a plan each open one.
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/core/named_tensors.h"
#include "palimpsest/core/run_events.h"
#include "palimpsest/data/pixel_source.h"
#include "palimpsest/data/sample_reader.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/session/inputs.h"
#include "palimpsest/session/lanes.h"
#include "palimpsest/session/shards.h"

namespace palimpsest {

// Adapted weights as their difference to the pretrained ones: the flat adapted vector theta -
// theta_hat_0, or a rank's shard of it (Shards::own()). They never change once they are made, so
// that two are equal where they are one.
using AdaptedWeights = std::shared_ptr<const std::vector<float>>;

AdaptedWeights make_weights(std::vector<float> difference);

// Of the tokens of a text.
struct TextLoss {
  double nats = 0;  // summed
  std::int64_t tokens = 0;
};

struct Session {
  RunConfig config;  // with the device that was chosen
  HostGroup& group;
  Watchdog& watchdog;
  const RunEvents& events;  // without listeners on all ranks but 0
  StopRequest stop;
  Lanes lanes;
  Inputs inputs;
  Placement placement;
  PixelSource pixels;
  std::unique_ptr<Backbone> model;
  Shards shards;               // of the model's adapted modules
  AdaptedWeights loaded = {};  // what the model has; null: unknown. Set by load_weights() alone
  // Of the pretrained weights on the text of --general, once it is known.
  std::optional<TextLoss> loss_before_stream = {};

  bool is_root() const { return group.rank() == 0; }
  std::span<const Task> tasks() const { return inputs.tasks; }
  SampleReader reader() { return reader_of(inputs.pack); }
  SampleReader reader_of(const Pack& pack) { return {pack, inputs.transform, config.seed, pixels}; }
  at::Device device() const { return placement.device; }
};

// Collective. Chooses the device, places the backbone there, and lets the ranks agree that they
// have the same files. `stop_after`: seconds after which the job is asked to stop; 0: never.
Session open_session(const RunConfig& config, Inputs inputs, double stop_after, HostGroup& group,
                     Watchdog& watchdog, const RunEvents& events);

// Of a model with theta_hat_0.
AdaptedWeights zero_weights(const Session& session);

// Collective: the weights of rank 0, of this size, to all.
AdaptedWeights broadcast(HostGroup& group, const AdaptedWeights& weights, std::size_t size,
                         std::string_view phase);

// Collective: whether every rank has the same bits in both.
bool have_same_bits(Session& session, const AdaptedWeights& one, const AdaptedWeights& other);

// Collective: the tensors that every rank keeps, of rank 0 to all; those whose first parts are
// `first`, as NamedTensors::names().
void broadcast(HostGroup& group, NamedTensors& memory, std::string_view phase,
               std::string_view first = "");

// The model gets these weights, and no adapter is active. Does nothing where it has them.
// Collective where there are shards.
void load_weights(Session& session, const AdaptedWeights& weights);

// While it lives, a task's adapter changes the model's weights: what the model has is unknown
// afterwards.
class AdapterScope {
 public:
  explicit AdapterScope(Session& session) : session_(session) {}
  ~AdapterScope() { session_.loaded = nullptr; }
  AdapterScope(const AdapterScope&) = delete;
  AdapterScope& operator=(const AdapterScope&) = delete;

 private:
  Session& session_;
};

}  // namespace palimpsest
