#include "palimpsest/plan/cost.h"

namespace palimpsest {
namespace {

constexpr double kFloat = sizeof(float);
constexpr double kDouble = sizeof(double);

// Measured with LibTorch 2.11: a stream of two tiny blocks, one rank, on the processor. On a GPU:
// the context and NCCL's buffers, assumed, not measured.
constexpr double kProgram = 200e6;
constexpr double kProgramOnDevice = 1.5e9;
// What the allocator holds beyond what is in use, as a share of the activations. Measured with
// glibc's malloc, where recomputed blocks leave more holes (0.2 to 1.2, by the order in which
// memory is taken); assumed for a GPU's.
constexpr double kLoss = 0.33;
constexpr double kLossRecomputed = 0.5;
constexpr double kLossOnDevice = 0.1;

double loss_of(const TrainingShape& training) {
  if (training.on_device) return kLossOnDevice;
  return training.activation_checkpointing ? kLossRecomputed : kLoss;
}

std::int64_t adapter_parameters(const AdaptedLayout& layout, std::int64_t rank) {
  std::int64_t count = 0;
  for (const AdaptedModule& module : layout.modules()) count += rank * (module.out + module.in);
  return count;
}

// Bytes that the backward pass of a block needs of the forward pass, for one token.
double kept_bytes(const ModelShape& model, const TrainingShape& training) {
  const auto w = static_cast<double>(model.width);
  const auto middle = static_cast<double>(model.fc2_in);
  const double narrow = training.bf16 ? 2 : kFloat;
  const AdaptedLayers& adapted = training.adapted;
  // The input of each norm; then query, key and value, and the MLP before its activation.
  double numbers = 3 * w + static_cast<double>(model.fc1_out);
  if (model.is_gated()) numbers += middle;  // the gate after its activation
  if (adapted.qkv) numbers += w;
  if (adapted.fc1) numbers += w;
  if (adapted.fc2) numbers += middle;
  if (adapted.output || (!model.texts && !training.fuses_attention())) {
    numbers += w;  // the attention's result: the output layer's input, or to compute it again from
  }
  if (model.texts && !training.fuses_attention()) {
    numbers += static_cast<double>(model.heads * training.tokens);  // the attention's weights
  }
  return narrow * (2 * w + numbers);
}

double activation_bytes(const ModelShape& model, const TrainingShape& training) {
  const auto w = static_cast<double>(model.width);
  const double narrow = training.bf16 ? 2 : kFloat;
  const auto samples = static_cast<double>(training.lane_samples);
  const double tokens = samples * static_cast<double>(training.tokens);
  const auto blocks = static_cast<double>(model.blocks);
  const double kept = kept_bytes(model, training);
  // What a block computes and drops again: the MLP's middle three times, four vectors.
  const double passing = narrow * (3 * static_cast<double>(model.fc1_out) + 4 * w);
  double per_token = passing;
  if (training.rank > 0) {
    // A last block of class tokens keeps its input, and query, key and value of all tokens.
    const double last = narrow * (training.adapted.qkv ? 5 : 4) * w;
    const double all = (blocks - 1) * kept + (training.class_token_only ? last : kept);
    per_token += training.activation_checkpointing ? blocks * narrow * w + kept : all;
  }
  // Three copies of an image: as read, transformed, in patches.
  const double pixels = 3 * static_cast<double>(training.image_side * training.image_side);
  return tokens * per_token + 3 * kFloat * samples * pixels;
}

// Weights of the layers that hold an adapted matrix: these are written, so that they're no views.
double written_weights(const ModelShape& model, const AdaptedLayers& adapted) {
  const auto w = static_cast<double>(model.width);
  return static_cast<double>(model.blocks) *
         ((adapted.qkv ? 3 * w * w : 0) + (adapted.output ? w * w : 0) +
          (adapted.fc1 ? w * static_cast<double>(model.fc1_out) : 0) +
          (adapted.fc2 ? w * static_cast<double>(model.fc2_in) : 0));
}

}  // namespace

ParameterCounts parameter_counts(const ModelShape& model, const AdaptedLayout& layout,
                                 const TrainingShape& training) {
  ParameterCounts counts;
  counts.backbone = model.parameters();
  counts.adapted = layout.size();
  for (const AdaptedModule& module : layout.modules())
    counts.adapter += training.rank * (module.out + (training.trains_a ? module.in : 0));
  counts.head = training.classes * (model.width + 1);
  return counts;
}

MemoryEstimate memory_estimate(const ModelShape& model, const AdaptedLayout& layout,
                               const TrainingShape& training) {
  const ParameterCounts counts = parameter_counts(model, layout, training);
  const auto adapted = static_cast<double>(counts.adapted);
  const auto trained = static_cast<double>(counts.trained());
  const auto backbone = static_cast<double>(counts.backbone);
  const auto matrices = static_cast<double>(model.matrix_weights());
  MemoryEstimate bytes;
  bytes.on_device = training.on_device;
  bytes.program = training.on_device ? kProgramOnDevice : kProgram;
  bytes.weights = training.bf16 ? 2 * matrices + kFloat * (backbone - matrices) : kFloat * backbone;
  // float32: the written layers stand beside the file's, and the merged rows beside those; bf16:
  // the pretrained rows in float32. Then theta_hat - theta_hat_0 and the task vector.
  bytes.adapted = training.bf16 ? kFloat * adapted
                                : kFloat * (adapted + written_weights(model, training.adapted));
  bytes.adapted += kFloat * adapted * static_cast<double>(2 + training.kept_numbers);
  bytes.optimizer = kFloat * trained * static_cast<double>(4 + training.lanes);
  bytes.activations = activation_bytes(model, training) * (1 + loss_of(training));
  // As drawn, and as a tensor.
  bytes.alignment = (training.on_device ? 1 : 2) * kFloat *
                    static_cast<double>(training.drawn_features * model.width);
  if (training.keeps_fisher) {
    // A float64 vector per lane, their sum and the mean; the squares of a chunk and the mean twice
    // in float32.
    bytes.fisher =
        kDouble * adapted * static_cast<double>(training.lanes + 2) + 3 * kFloat * adapted;
    bytes.curvature = 2 * kDouble * adapted;
  }
  return bytes;
}

Operations operations_per_sample(const ModelShape& model, const AdaptedLayout& layout,
                                 const TrainingShape& training, double tokens) {
  const auto w = static_cast<double>(model.width);
  // The tokens that ask in the last block, and pass through what follows the attention there.
  const double last = training.class_token_only ? 1 : tokens;
  const double after_attention = w * (w + static_cast<double>(model.fc1_out + model.fc2_in));
  const double matrices = 2 * (tokens * static_cast<double>(model.matrix_weights()) -
                               (tokens - last) * after_attention);
  // Scores, and the weighted sum of values.
  const double attention = 4 * tokens * w * (tokens * static_cast<double>(model.blocks - 1) + last);
  Operations operations{.forward = matrices + attention, .training = {}, .fisher = {}};
  operations.training = operations.forward;
  if (training.rank > 0) {
    const double adapter =
        2 * tokens * static_cast<double>(adapter_parameters(layout, training.rank));
    operations.training = 2 * matrices + 3 * attention + 3 * adapter;
  }
  const auto backwards = static_cast<double>(training.fisher_backwards);
  operations.fisher = (1 + backwards) * matrices + (1 + 2 * backwards) * attention +
                      backwards * 2 * tokens * static_cast<double>(layout.size());
  if (training.activation_checkpointing && training.rank > 0) {
    operations.training += operations.forward;
    operations.fisher += backwards * operations.forward;
  }
  return operations;
}

}  // namespace palimpsest
