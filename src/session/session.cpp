#include "palimpsest/session/session.h"

#include <ATen/ATen.h>

#include <cstring>
#include <utility>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

AdaptedWeights make_weights(std::vector<float> difference) {
  return std::make_shared<const std::vector<float>>(std::move(difference));
}

Session open_session(const RunConfig& config, Inputs inputs, double stop_after, HostGroup& group,
                     Watchdog& watchdog, const RunEvents& events) {
  configure_processor(static_cast<int>(config.device.threads));
  Placement placement = make_placement(config.device.kind, config.device.share, group, watchdog);
  if (!config.device.graphs) placement.make_graph = nullptr;
  std::unique_ptr<Backbone> model = group.work("placing the backbone", [&] {
    return make_backbone(*inputs.weights, inputs.backbone, inputs.choice, placement.device);
  });
  Shards shards(model->layout(), config.shard_memory, group.rank(), group.size());
  for (std::size_t module = 0; shards.are_split() && module < shards.all().modules().size();
       ++module)
    if (shards.owner(module) != group.rank()) model->layers().drop_original(module);
  PixelSource pixels(placement.device, placement.room_for_images());
  Session session{.config = config,
                  .group = group,
                  .watchdog = watchdog,
                  .events = events,
                  .stop = StopRequest(group, stop_after),
                  .lanes = make_lanes(config.lanes, group.size()),
                  .inputs = std::move(inputs),
                  .placement = std::move(placement),
                  .pixels = std::move(pixels),
                  .model = std::move(model),
                  .shards = std::move(shards)};
  using enum DeviceKind;
  session.config.device.kind = session.device().is_cuda() ? kCuda : kCpu;
  constexpr std::string_view kPhase = "agreement at the start";
  group.agree(session.inputs.backbone_sha256, "backbone's weights (SHA-256)", kPhase);
  group.agree(session.inputs.shape_sha256, "backbone's shape, by its config.json (hash)", kPhase);
  group.agree(session.inputs.pack.content_sha256(), "pack (content hash)", kPhase);
  if (session.inputs.general)
    group.agree(session.inputs.general->content_sha256(), "text of --general (content hash)",
                kPhase);
  return session;
}

AdaptedWeights broadcast(HostGroup& group, const AdaptedWeights& weights, std::size_t size,
                         std::string_view phase) {
  const bool is_root = group.rank() == 0;
  std::vector<float> received(is_root ? 0 : size);
  float* const values =
      is_root ? const_cast<float*>(weights->data()) : received.data();  // only read
  group.broadcast(std::span(values, size), 0, phase);
  return is_root ? weights : make_weights(std::move(received));
}

void broadcast(HostGroup& group, NamedTensors& memory, std::string_view phase,
               std::string_view first) {
  const bool is_root = group.rank() == 0;
  std::vector<std::string> names;
  for (const std::string& name : memory.names(first))
    if (memory.at(name).keeper == Keeper::kEveryRank) names.push_back(name);
  group.broadcast(names, 0, phase);
  if (!is_root) memory.erase(first);
  for (const std::string& name : names) {
    NamedTensor tensor;
    if (is_root) tensor = memory.at(name);
    group.broadcast(tensor.dims, 0, phase);
    std::vector<std::uint64_t> type = {tensor.values.index()};
    group.broadcast(type, 0, phase);
    if (!is_root && type[0] == 1) tensor.values = std::vector<double>();
    if (!is_root && type[0] == 2) tensor.values = std::vector<std::int64_t>();
    std::visit([&](auto& numbers) { group.broadcast(numbers, 0, phase); }, tensor.values);
    if (!is_root) memory.put(name, std::move(tensor));
  }
}

AdaptedWeights zero_weights(const Session& session) {
  return make_weights(std::vector<float>(static_cast<std::size_t>(session.shards.own().size())));
}

bool have_same_bits(Session& session, const AdaptedWeights& one, const AdaptedWeights& other) {
  const bool differ = one->size() != other->size() ||
                      std::memcmp(one->data(), other->data(), one->size() * sizeof(float)) != 0;
  return !(session.shards.are_split() ? session.group.any(differ, "comparing weights") : differ);
}

void load_weights(Session& session, const AdaptedWeights& weights) {
  if (session.loaded == weights) return;
  const Shards& shards = session.shards;
  if (std::cmp_not_equal(weights->size(), shards.own().size()))
    throw Error(
        concat("expected ", shards.own().size(), " adapted weights, found ", weights->size()));
  BlockLayers& layers = session.model->layers();
  for (std::size_t m = 0; m < shards.all().modules().size(); ++m) {
    const std::span<const float> own = shards.part(std::span(*weights), m);
    if (!shards.are_split()) {
      layers.set_weight(m, layers.weight_with(m, own));
      continue;
    }
    const AdaptedModule& module = shards.all().modules()[m];
    const at::Tensor weight =
        own.empty() ? at::empty({module.out, module.in}) : layers.weight_with(m, own).to(at::kCPU);
    session.group.broadcast(
        std::span(weight.mutable_data_ptr<float>(), static_cast<std::size_t>(module.size())),
        shards.owner(m), "weights of each shard to all ranks");
    layers.set_weight(m, weight);
  }
  session.loaded = weights;
}

}  // namespace palimpsest
