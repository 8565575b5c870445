#pragma once
// What a run has to do, in counts; and what follows from counts alone, where nothing can be
// measured: memory, and operations.
#include <cstdint>

#include "palimpsest/plan/model_shape.h"

namespace palimpsest {

struct Workload {
  ModelShape model = {};
  std::int64_t rank = 0;                         // of the adapter; 0: a frozen backbone
  std::int64_t adapter = 0;                      // parameters of A and B that a task trains
  std::int64_t adapted = 0;                      // weights that a merge can change
  std::int64_t modules = 0, largest_module = 0;  // of these
  bool bf16 = false, activation_checkpointing = false;
  bool can_shard = false, shard_memory = false;

  std::int64_t tasks = 1, most_classes = 0;  // of one task
  // Of a task of average size, steps of one that has some. Measured: the training samples of the
  // Fisher pass. Tested: the samples of its evaluations before and after the merge.
  double steps = 0, train_samples = 0, measured_samples = 0, tested_samples = 0;
  // What its evaluations do besides, as the text of --general, in samples that take as long.
  double tested_besides = 0;
  std::int64_t batch = 1, lanes = 1;
  bool ordered = true;  // lanes are added in order; else every rank has one lane, all-reduced
  std::int64_t longest_tokens = 0, image_side = 0;  // of a sample
  double mean_tokens = 0;
  // Of a decoder that predicts tokens, in place of a head: of a sample, on average and at most.
  double mean_predictions = 0;
  std::int64_t most_predictions = 0;

  double learning = 1;  // of all tasks, those with steps and a Fisher: others train a head alone
  bool fisher = true;   // is measured, with so many backward passes
  std::int64_t fisher_backwards = 1;
  // Passes over the training samples besides, and over those measured; on average over the tasks.
  double forwards = 0, measured_forwards = 0;

  // Of the classifier, on rank 0: bytes after the last task; operations of a task on average, which
  // it learns before its merge and after it.
  double classifier_bytes = 0, classifier_operations = 0;
  double classifier_kept = 0;  // of the bytes, those that stay between tasks

  std::int64_t trained() const { return adapter + most_classes * (model.width + 1); }
};

// The work over `ranks` ranks: as many lanes as ranks where they are fewer.
Workload over_ranks(Workload work, std::int64_t ranks);

// What the busiest of `parts` has of `count`.
inline std::int64_t largest_share(std::int64_t count, std::int64_t parts) {
  return (count + parts - 1) / parts;
}

// Bytes that the counts say rank 0 needs: on a device those of the device alone. The buffers that a
// pass frees again, those of heads that are aligned, and of adapters of other kinds, are not
// counted.
struct CountedMemory {
  double program = 0;      // libraries, and on a GPU its context: assumed
  double weights = 0;      // the backbone, and the adapted weights besides: pretrained, merged, ...
  double activations = 0;  // that one lane keeps for its backward pass
  double logits = 0;       // over the vocabulary, of as many tokens as are computed at a time
  double optimizer = 0;    // trained parameters, gradients (one per lane, the sum), two moments
  double fisher = 0;       // after training: sums of float64 of one lane at a time, and the mean
  double curvature = 0;    // S0 and S1, float64, in host memory
  double classifier = 0;   // its sums, and what it solves them in
  // A copy of weights, S0 and S1, and their file, while the next task trains. With shards: none.
  double saving = 0;
  double peak(bool on_device) const;
};
CountedMemory counted_memory(const Workload& work, std::int64_t ranks, bool on_device);

// Floating-point operations on one sample of average length; a multiply-add counts as two. Frozen
// matrices cost a product forward and one backward, towards the input.
struct Operations {
  double forward = 0, training = 0, fisher = 0;
};
Operations operations_per_sample(const Workload& work);

}  // namespace palimpsest
