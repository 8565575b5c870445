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
                              .help = "Let several ranks of a node share a GPU, for tests. It is "
                                      "slower than one rank per GPU.",
                              .effect = kOperational}),
       struct_key(
           &S::graphs,
           {.name = "graphs",
            .help = "Record repeated passes as CUDA graphs and launch each with one call. The bits "
                    "are the same. false uses less memory and shows where an error occurs.",
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
           .help = "Parts of a batch that each have a gradient. Any number of ranks up to\n"
                   "lanes gives the same bits. ranks: one lane per rank, fastest, with other\n"
                   "bits.",
           .effect = kNumerics}),
      key(kMachine, &C::device, devices(),
          {.name = "device",
           .help = "Where to compute. palimpsest plan uses --machine instead, and threads.",
           .effect = kNumerics},
          kEverywhere),
      key(kMachine, &C::precision,
          {.name = "precision",
           .help = "Precision of the backbone's frozen matrices, their products and the\n"
                   "activations. bf16 halves their memory. Adapter, features, head, Fisher and\n"
                   "merge stay fp32. bf16 is slow on processors without bf16 instructions.",
           .effect = kNumerics},
          kEverywhere),
      key(kMachine, &C::activation_checkpointing,
          {.name = "activation-checkpointing",
           .help = "Keep only the activations between blocks and recompute the rest in the\n"
                   "backward pass: a fraction of the memory for a third more work. The bits\n"
                   "are the same.",
           .effect = kOperational}),
      key(kMachine, &C::evaluation_batch,
          {.name = "evaluation-batch",
           .minimum = 1,
           .maximum = kMost,
           .help = "Samples per forward pass in evaluation. The Fisher pass takes at most as\n"
                   "many, and at most a lane of the batch.",
           .effect = kNumerics},
          kEverywhere),
      key(kMachine, &C::hang_seconds,
          {.name = "hang-seconds",
           .minimum = 0,
           .maximum = kMost,
           .help = "Seconds after which a rank that waits for another ends the job; 0: never.\n"
                   "A rank that reads, hashes or writes much has time while it makes progress.",
           .effect = kOperational},
          kEverywhere),
      key(kMachine, &C::shard_memory,
          {.name = "shard-memory",
           .help = "Shard theta_hat, task vector, Fisher, S0 and S1 over ranks by adapted\n"
                   "module: 1/ranks of their memory, with the same bits. For merge rules with\n"
                   "one coefficient, or one for each module, and without a penalty.",
           .effect = kOperational}),
      key(kMachine, &C::stage,
          {.name = "stage",
           .help = "A folder on a local disk of each node. One rank copies the pack there,\n"
                   "unless the copy exists, and all ranks of the node read it. If there is no\n"
                   "space, the pack is read in place, with a warning.",
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
  add(&C::resume,
      {.name = "resume",
       .help = "auto: resume from the newest checkpoint in the run folder, or start a new\n"
               "run if there is none."});
  add(&C::fork, {.name = "fork",
                 .help = "Start a new run from a finished task of another run: its folder, or a\n"
                         "state in it. From there on any setting may differ."});
  add(&C::continue_from,
      {.name = "continue",
       .help = "Start a new run from the newest state of another run (its folder, or a\n"
               "state in it). Pack and protocol contain only new tasks; the old data isn't\n"
               "needed."});
  add(&C::allow_numerics_change,
      {.name = "allow-numerics-change",
       .help = "Resume on another processor or with other library versions. The results\n"
               "are as good, but not the same to the last bit."},
      {"doctor"});
  add(&C::checkpoint_every,
      {.name = "checkpoint-every",
       .minimum = 0,
       .maximum = kMost,
       .help = "Save a checkpoint within a task every so many steps; 0: never."});
  add(&C::checkpoint_minutes,
      {.name = "checkpoint-minutes",
       .minimum = 0,
       .maximum = kMost,
       .help = "Save a checkpoint within a task every so many minutes; 0: never."});
  add(&C::stop_after,
      {.name = "stop-after",
       .minimum = 0,
       .maximum = kMost,
       .help = "Minutes after which the run saves the next step and ends with exit code\n"
               "85, as on a signal; 0: never."});
  keys.push_back(key(kRun, &C::progress, progress_kinds(),
                     {.name = "progress", .help = "What is shown meanwhile.", .effect = kFree},
                     {}));
  add(&C::tensorboard,
      {.name = "tensorboard",
       .help = "Write TensorBoard events into the run folder: about 150 bytes a step."});
  add(&C::profile,
      {.name = "profile",
       .help = "Write profile.json into the run folder, a trace of phases and collectives\n"
               "of all ranks for ui.perfetto.dev, and print a table at the end."});
  add(&C::dry_run,
      {.name = "dry-run", .help = "Show what would run, with parameters and steps, and stop."});
  return keys;
}

}  // namespace palimpsest
