#include "palimpsest/plan/cost.h"

namespace palimpsest {
namespace {

std::int64_t adapter_parameters(const AdaptedLayout& layout, std::int64_t rank) {
  std::int64_t count = 0;
  for (const AdaptedModule& module : layout.modules()) count += rank * (module.out + module.in);
  return count;
}

}  // namespace

ParameterCounts parameter_counts(const ModelShape& model, const AdaptedLayout& layout,
                                 const TrainingShape& training) {
  ParameterCounts counts;
  counts.backbone = model.parameters();
  counts.adapted = layout.size();
  counts.adapter = adapter_parameters(layout, training.rank);
  counts.head = training.classes * (model.width + 1);
  return counts;
}

MemoryEstimate memory_estimate(const ModelShape& model, const AdaptedLayout& layout,
                               const TrainingShape& training) {
  constexpr double kFloat = sizeof(float);
  constexpr double kDouble = sizeof(double);
  const ParameterCounts counts = parameter_counts(model, layout, training);
  const auto adapted = static_cast<double>(counts.adapted);
  const auto trained = static_cast<double>(counts.trained());
  // A token leaves in each block: its input, query, key, value, context, two sums and two norms of
  // `hidden` numbers, the MLP's middle before and after its activation, and a row of attention
  // weights for every head.
  const double token_floats = static_cast<double>(9 * model.width + model.fc1_out + model.fc2_in +
                                                  model.heads * training.tokens);
  const double lane_tokens = static_cast<double>(training.lane_samples * training.tokens);
  MemoryEstimate bytes;
  bytes.weights = kFloat * static_cast<double>(counts.backbone);
  bytes.adapted = 3 * kFloat * adapted;
  bytes.optimizer = kFloat * trained * static_cast<double>(4 + training.lanes);
  // A frozen backbone keeps nothing from block to block.
  const double blocks_kept = training.rank > 0 ? static_cast<double>(model.blocks) : 1;
  bytes.activations = kFloat * blocks_kept * lane_tokens * token_floats;
  // A float64 vector per lane and their sum; the squares of a chunk and the mean in float32.
  bytes.fisher = kDouble * adapted * static_cast<double>(training.lanes + 1) + 2 * kFloat * adapted;
  bytes.curvature = 2 * kDouble * adapted;
  return bytes;
}

double training_operations_per_sample(const ModelShape& model, const AdaptedLayout& layout,
                                      std::int64_t rank, std::int64_t tokens) {
  const auto length = static_cast<double>(tokens);
  const double matrices = 2 * length * static_cast<double>(model.matrix_weights());
  // Scores, and the weighted sum of values.
  const double attention = 4 * length * length * static_cast<double>(model.blocks * model.width);
  if (rank == 0) return matrices + attention;
  const double adapter = 2 * length * static_cast<double>(adapter_parameters(layout, rank));
  return 2 * matrices + 3 * attention + 3 * adapter;
}

}  // namespace palimpsest
