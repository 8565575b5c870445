// Settings of where and how a run computes, stops and resumes.
#include "palimpsest/config/keys.h"

namespace palimpsest {
namespace {

constexpr std::string_view kMachine = "Machine";
constexpr std::string_view kRun = "The run";

const StructKinds<DeviceSettings>& devices() {
  using S = DeviceSettings;
  using enum Effect;
  const std::vector<std::string_view> all = {"threads", "share", "graphs"};
  static const StructKinds<S> kinds(
      "device",
      {{"A GPU where there is one.", all},
       {"The processor.", {"threads"}},
       {"A GPU for each rank.", all}},
      {struct_key(&S::threads,
                  {.name = "threads",
                   .minimum = 1,
                   .maximum = 1024,
                   .help = "Processor threads of each rank. One rank a core is faster.",
                   .effect = kNumerics}),
       struct_key(&S::share, {.name = "share",
                              .help = "Let several ranks of a node use the same GPU, for tests: "
                                      "slower than one rank for each, which is requested "
                                      "otherwise.",
                              .effect = kOperational}),
       struct_key(&S::graphs, {.name = "graphs",
                               .help = "Record passes that repeat on a GPU and launch each with "
                                       "one call. The same bits; false takes less memory and "
                                       "shows where an error arises.",
                               .effect = kOperational})});
  return kinds;
}

const StructKinds<ProgressSettings>& progress_kinds() {
  using S = ProgressSettings;
  static const StructKinds<S> kinds("progress",
                                    {{"A bar on a terminal, plain lines in a log.", {"every"}},
                                     {"A bar.", {"every"}},
                                     {"Plain lines.", {"every"}},
                                     {"Results only."}},
                                    {struct_key(&S::every, {.name = "every",
                                                            .minimum = 1,
                                                            .maximum = kMost,
                                                            .help = "Steps between plain lines.",
                                                            .effect = Effect::kOperational})});
  return kinds;
}

std::vector<Key> device_keys() {
  using C = RunConfig;
  using enum Effect;
  return {
      key(kMachine, &C::lanes,
          {.name = "lanes",
           .minimum = 1,
           .maximum = 4096,
           .choices = {"ranks"},
           .help = "Parts of a batch with their own gradient; any number of ranks up to\n"
                   "lanes gives the same bits. ranks: one a rank, fastest, other bits.",
           .effect = kNumerics}),
      key(kMachine, &C::device, devices(),
          {.name = "device",
           .help = "Where to compute. palimpsest plan uses --machine instead, and threads.",
           .effect = kNumerics},
          kEverywhere),
      key(kMachine, &C::precision,
          {.name = "precision",
           .help = "Of the backbone's frozen matrices, their products, and what goes from\n"
                   "layer to layer: residual sums and the norms of the blocks. bf16 halves\n"
                   "its memory. Adapter, features, head, Fisher and merge stay fp32. Slow\n"
                   "where the processor has no bf16 instructions.",
           .effect = kNumerics},
          kEverywhere),
      key(kMachine, &C::activation_checkpointing,
          {.name = "activation-checkpointing",
           .help = "Keep only what goes from block to block, and compute the rest again in\n"
                   "the backward pass: a fraction of the memory for a third more work, and\n"
                   "the same bits.",
           .effect = kOperational}),
      key(kMachine, &C::evaluation_batch,
          {.name = "evaluation-batch",
           .minimum = 1,
           .maximum = kMost,
           .help = "Samples per forward pass in evaluation, and at most in the Fisher pass,\n"
                   "which takes no more than a lane of the batch.",
           .effect = kNumerics},
          kEverywhere),
      key(kMachine, &C::hang_seconds,
          {.name = "hang-seconds",
           .minimum = 0,
           .maximum = kMost,
           .help = "A rank that waits longer than this for another ends the job; 0: never. One\n"
                   "that reads, hashes or writes much is waited for while it makes progress.",
           .effect = kOperational},
          kEverywhere),
      key(kMachine, &C::shard_memory,
          {.name = "shard-memory",
           .help = "Each rank keeps theta_hat, task vector, Fisher, S0 and S1 of some adapted\n"
                   "modules alone: 1/ranks of their memory, and the same bits. For merge rules\n"
                   "with one coefficient, or one for each module, and without a penalty.",
           .effect = kOperational}),
      key(kMachine, &C::stage,
          {.name = "stage",
           .help = "A folder on a disk of each node: one rank copies the pack there, unless it\n"
                   "has it already, and all ranks of the node read the copy. Without room the\n"
                   "pack is read where it is, with a warning.",
           .effect = kOperational},
          {}),
  };
}

}  // namespace

std::vector<Key> running_keys() {
  using C = RunConfig;
  constexpr Effect kFree = Effect::kOperational;
  std::vector<Key> keys = device_keys();
  const auto add = [&](auto member, SettingSpec spec, Verbs verbs = {}) {
    spec.effect = kFree;
    keys.push_back(key(kRun, member, std::move(spec), std::move(verbs)));
  };
  add(&C::resume, {.name = "resume",
                   .help = "auto: resume from the run folder's newest checkpoint, or start "
                           "a\nnew run when there is none."});
  add(&C::fork, {.name = "fork",
                 .help = "Start a new run from a finished task of another: its run folder, or one\n"
                         "of the states in it. Any setting may differ from now on."});
  add(&C::continue_from,
      {.name = "continue",
       .help = "Start a new run from the newest state of another (a run folder, or one of\n"
               "its states) whose data may be gone: pack and protocol have new tasks only."});
  add(&C::allow_numerics_change,
      {.name = "allow-numerics-change",
       .help = "Resume although the processor or a library version is another: the\n"
               "results are then as good, but not the same to the last bit."},
      {"doctor"});
  add(&C::checkpoint_every, {.name = "checkpoint-every",
                             .minimum = 0,
                             .maximum = kMost,
                             .help = "Save within a task after so many steps; 0: not by steps."});
  add(&C::checkpoint_minutes,
      {.name = "checkpoint-minutes",
       .minimum = 0,
       .maximum = kMost,
       .help = "Save within a task after so many minutes; 0: not by time."});
  add(&C::stop_after,
      {.name = "stop-after",
       .minimum = 0,
       .maximum = kMost,
       .help = "Minutes after which the run saves at the next step and ends with exit\n"
               "code 85, as on a signal; 0: never."});
  keys.push_back(key(kRun, &C::progress, progress_kinds(),
                     {.name = "progress", .help = "What is shown meanwhile.", .effect = kFree},
                     {}));
  add(&C::tensorboard,
      {.name = "tensorboard",
       .help = "Write events for TensorBoard into the run folder: about 150 bytes a step."});
  add(&C::profile,
      {.name = "profile",
       .help = "Write profile.json into the run folder, a trace of phases and collectives\n"
               "of every rank for ui.perfetto.dev, and print a table of them at the end."});
  add(&C::dry_run, {.name = "dry-run",
                    .help = "Say what would run, with parameters, steps and memory, and stop."});
  return keys;
}

}  // namespace palimpsest
