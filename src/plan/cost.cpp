#include "palimpsest/plan/cost.h"

namespace palimpsest {
namespace {

// Weights of the matrices that every token passes through: query, key, value, output, and the two
// of the MLP.
std::int64_t matrix_weights(const ModelShape& model) {
  return model.layers * (4 * model.hidden * model.hidden + 2 * model.hidden * model.intermediate);
}

std::int64_t adapter_parameters(const AdaptedLayout& layout, std::int64_t rank) {
  std::int64_t count = 0;
  for (const AdaptedModule& module : layout.modules()) count += rank * (module.out + module.in);
  return count;
}

}  // namespace

ParameterCounts parameter_counts(const ModelShape& model, const AdaptedLayout& layout,
                                 const TrainingShape& training) {
  const std::int64_t norm = 2 * model.hidden;
  const std::int64_t embeddings =
      (model.vocabulary + model.positions + model.token_types) * model.hidden + norm;
  const std::int64_t biases = 5 * model.hidden + model.intermediate;
  ParameterCounts counts;
  counts.backbone = embeddings + matrix_weights(model) + model.layers * (biases + 2 * norm);
  counts.adapted = layout.size();
  counts.adapter = adapter_parameters(layout, training.rank);
  counts.head = training.classes * (model.hidden + 1);
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
  const double token_floats = static_cast<double>(9 * model.hidden + 2 * model.intermediate +
                                                  model.heads * training.tokens);
  const double lane_tokens = static_cast<double>(training.lane_samples * training.tokens);
  MemoryEstimate bytes;
  bytes.weights = kFloat * static_cast<double>(counts.backbone);
  bytes.adapted = 3 * kFloat * adapted;
  bytes.optimizer = kFloat * trained * static_cast<double>(4 + training.lanes);
  // A frozen backbone keeps nothing from block to block.
  const double blocks_kept = training.rank > 0 ? static_cast<double>(model.layers) : 1;
  bytes.activations = kFloat * blocks_kept * lane_tokens * token_floats;
  // A float64 vector per lane and their sum; the squares of a chunk and the mean in float32.
  bytes.fisher = kDouble * adapted * static_cast<double>(training.lanes + 1) + 2 * kFloat * adapted;
  bytes.curvature = 2 * kDouble * adapted;
  return bytes;
}

double training_operations_per_sample(const ModelShape& model, const AdaptedLayout& layout,
                                      std::int64_t rank, std::int64_t tokens) {
  const auto length = static_cast<double>(tokens);
  const double matrices = 2 * length * static_cast<double>(matrix_weights(model));
  // Scores, and the weighted sum of values.
  const double attention = 4 * length * length * static_cast<double>(model.layers * model.hidden);
  if (rank == 0) return matrices + attention;
  const double adapter = 2 * length * static_cast<double>(adapter_parameters(layout, rank));
  return 2 * matrices + 3 * attention + 3 * adapter;
}

}  // namespace palimpsest
