#include "palimpsest/session/session.h"

#include <utility>

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
                  .model = std::move(model)};
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

void load_weights(Session& session, const AdaptedWeights& weights) {
  if (session.loaded == weights) return;
  session.model->layers().set_weight_difference(*weights);
  session.loaded = weights;
}

}  // namespace palimpsest
