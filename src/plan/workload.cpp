#include "palimpsest/plan/workload.h"

#include <algorithm>

#include "palimpsest/core/chunk_sizes.h"

namespace palimpsest {

Workload over_ranks(Workload work, std::int64_t ranks) {
  work.lanes = work.ordered ? std::max(work.lanes, ranks) : ranks;
  return work;
}

double CountedMemory::peak(bool on_device) const {
  return program + weights + activations + logits + std::max(optimizer, fisher) + classifier +
         (on_device ? 0 : curvature + saving);
}

CountedMemory counted_memory(const Workload& work, std::int64_t ranks, bool on_device) {
  const ModelShape& model = work.model;
  const double narrow = work.bf16 ? 2 : sizeof(float);
  const auto adapted = static_cast<double>(work.adapted);
  // Of the adapted weights, what this rank keeps besides the model.
  const double own = work.shard_memory ? std::max(adapted / static_cast<double>(ranks),
                                                  static_cast<double>(work.largest_module))
                                       : adapted;
  const bool predicts = work.most_predictions > 0;
  const auto matrices = static_cast<double>(model.matrix_weights() + model.embedding +
                                            (predicts ? model.output_parameters() : 0));
  const auto vectors =
      static_cast<double>(model.parameters() - model.matrix_weights() - model.embedding);
  const auto lanes = static_cast<double>(largest_share(over_ranks(work, ranks).lanes, ranks));
  CountedMemory bytes{.program = on_device ? 1.5e9 : 0.2e9, .classifier = work.classifier_bytes};
  // In float32 every step adds the adapter to adapted weights that stay as they are. On a device:
  // these and the pretrained ones; in host memory: theta_hat, theta*, Delta and what merging makes.
  const double beneath = work.bf16 ? 0 : adapted;
  bytes.weights =
      narrow * matrices + sizeof(float) * (vectors + beneath + (on_device ? 1 : 3) * own);
  bytes.optimizer = sizeof(float) * static_cast<double>(work.trained()) * (4 + lanes);
  if (work.fisher) {
    // A lane and slices of the others' lanes and of the total, or the total and the mean. With
    // shards: a lane, total and mean, and a module's sums here and of another rank.
    bytes.fisher = own * (2 * sizeof(double) + 3 * sizeof(float));
    if (work.shard_memory)
      bytes.fisher += 2 * sizeof(float) * static_cast<double>(work.largest_module);
    bytes.curvature = 2 * sizeof(double) * own;
  }
  if (!work.shard_memory)
    bytes.saving = 2 * (sizeof(float) * adapted + bytes.curvature + work.classifier_kept);

  // Numbers for each token. A block keeps the inputs of two norms and of two matrices, query, key,
  // value, the MLP's middle, and of texts the attention's weights; what it drops again counts once.
  const auto width = static_cast<double>(model.width), middle = static_cast<double>(model.fc1_out);
  const double gate = model.fc1_out == model.fc2_in ? 0 : static_cast<double>(model.fc2_in);
  const bool encodes = model.texts && model.output == 0;  // a decoder's attention keeps none
  const double weights = encodes ? static_cast<double>(model.heads * work.longest_tokens) : 0;
  const double kept = 7 * width + middle + gate + weights, dropped = 3 * middle + 4 * width;
  const auto blocks = static_cast<double>(work.rank > 0 ? model.blocks : 0);
  const double bias = on_device && model.attention_bias ? weights : 0;  // one for all blocks
  const double all =
      dropped + bias + (work.activation_checkpointing ? blocks * width + kept : blocks * kept);
  const auto samples =
      static_cast<double>(largest_share(work.batch, over_ranks(work, ranks).lanes));
  const auto pixels = static_cast<double>(3 * work.image_side * work.image_side);
  bytes.activations = samples * (narrow * all * static_cast<double>(work.longest_tokens) +
                                 3 * sizeof(float) * pixels);  // read, transformed, in patches
  if (predicts) {
    const auto vocabulary = static_cast<double>(model.output / model.width);
    const double all_logits = samples * static_cast<double>(work.most_predictions) * vocabulary;
    const double copies = sizeof(float) + (work.bf16 ? narrow : 0);
    bytes.logits = copies * std::min(all_logits, static_cast<double>(logits_at_a_time(!on_device)));
  }
  return bytes;
}

Operations operations_per_sample(const Workload& work) {
  const double tokens = work.mean_tokens;
  const double matrices = 2 * tokens * static_cast<double>(work.model.matrix_weights());
  // Scores, and the weighted sum of values.
  const double attention =
      4 * tokens * tokens * static_cast<double>(work.model.width * work.model.blocks);
  const auto backwards = static_cast<double>(work.fisher_backwards);
  // Logits, whose gradient is another product.
  const double logits = 2 * work.mean_predictions * static_cast<double>(work.model.output);
  const double blocks = matrices + attention;
  Operations operations{.forward = blocks + logits, .training = blocks + logits};
  operations.fisher = (1 + backwards) * (matrices + logits) + (1 + 2 * backwards) * attention +
                      backwards * 2 * tokens * static_cast<double>(work.adapted);
  if (work.rank == 0) return operations;
  operations.training =
      2 * (matrices + logits) + 3 * attention + 6 * tokens * static_cast<double>(work.adapter);
  if (work.activation_checkpointing) {
    operations.training += blocks;
    operations.fisher += backwards * blocks;
  }
  return operations;
}

}  // namespace palimpsest
