#pragma once
// Everything that a run can be told, resolved: defaults, then the .cfg file, then flags.
#include <cstdint>
#include <string>
#include <vector>

namespace palimpsest {

struct RunConfig {
  // Input and output.
  std::string pack;
  std::string protocol;
  std::string backbone;  // folder with model.safetensors and config.json
  std::string out = "runs/run";

  // The stream.
  std::uint64_t seed = 1;
  std::int64_t tasks = 0;  // 0: all of the protocol's
  // class-incremental | task-incremental | domain-incremental
  std::string scenario = "class-incremental";
  bool joint = false;     // all tasks at once: the upper bound
  double validation = 0;  // share of the training samples that is kept out of training

  // Images.
  std::int64_t image_size = 224;
  std::string pooling = "auto";            // auto | class | mean
  std::string normalisation = "backbone";  // backbone | none
  std::string interpolation = "auto";      // auto | bilinear | bicubic
  double crop_share = 0;                   // test view; 0: as the backbone says
  std::string augmentation = "crop-flip";  // none | crop-flip | crop-flip-jitter | rand-augment
  double crop_scale_min = 0.08;
  double colour_jitter = 0.4;
  std::int64_t rand_augment_operations = 2;
  double rand_augment_magnitude = 9;

  // Training.
  std::int64_t epochs = 10;
  std::int64_t passes_per_epoch = 1;
  std::int64_t batch = 256;  // global, over all ranks
  bool drop_last = false;
  std::string adapter = "lora";  // NAME[:key=value,...], as all parts of the method
  std::int64_t lora_rank = 10;
  double lora_alpha = 10;  // s = lora_alpha / lora_rank
  std::vector<std::string> lora_targets = {"key", "value"};
  double lr = 1e-3;  // of A and B
  double head_lr = 1e-2;
  double weight_decay = 0;
  std::string schedule = "cosine";              // constant | cosine | multistep
  std::vector<double> milestones = {0.5, 0.8};  // multistep: as shares of the task's steps
  double milestone_factor = 0.1;
  std::int64_t warmup_steps = 0;
  double clip_norm = 0;            // 0: no clipping
  std::string nonfinite = "stop";  // stop | skip, of a step whose loss or gradient is not finite
  std::int64_t nonfinite_limit = 10;

  // Perturb, and merge.
  std::string objective = "classes";
  std::string perturbation = "sign";
  double epsilon = 0.5;
  std::string penalty = "none";
  double ewc = 0;  // weight of the penalty of that name; 0: as `penalty` says
  std::string merge = "closed-form";
  std::string curvature = "empirical";
  std::string fisher_scale = "secant";  // none | trace | secant
  bool error_budget = true;             // measure by how much a merge raised the task's loss

  // The heads.
  std::string head = "linear";
  double head_scale = 16;  // cosine, prototype: what cosines are multiplied by
  std::string classifier = "local";
  bool head_refit = false;
  std::int64_t head_refit_epochs = 20;
  bool head_align = false;
  std::int64_t head_align_epochs = 5;

  // Machine.
  std::string lanes = "4";         // a number, or "ranks"
  std::string device = "auto";     // auto | cpu | cuda
  bool share_device = false;       // several ranks may have the same one
  std::int64_t threads = 1;        // of a rank, for tensor operations
  std::string precision = "fp32";  // fp32 | bf16, of the backbone, see the key's help
  bool activation_checkpointing = false;
  bool cuda_graphs = true;
  std::int64_t evaluation_batch = 64;
  std::int64_t hang_seconds = 300;
  std::string stage;  // a folder of each node for a copy of the pack; "": read it where it is

  // Run.
  std::string resume = "never";  // never | auto
  std::string fork;              // a run folder or a state of one
  std::string continue_from;     // a run folder, to learn more tasks from another pack
  bool allow_numerics_change = false;
  std::int64_t checkpoint_every = 0;  // steps; 0: not by steps
  double checkpoint_minutes = 10;     // 0: not by time
  double stop_after = 0;              // minutes; 0: never
  std::string progress = "auto";      // auto | bar | plain | none
  std::int64_t log_every = 50;        // steps between plain progress lines
  bool tensorboard = true;            // write event files
  bool profile = false;               // a trace of phases and collectives, by rank
  bool dry_run = false;

  bool operator==(const RunConfig&) const = default;
};

}  // namespace palimpsest
