// Settings of where and how a run goes on.
#include "palimpsest/config/keys.h"

namespace palimpsest {
namespace {

constexpr std::string_view kMachine = "Machine";
constexpr std::string_view kRun = "The run";

}  // namespace

std::vector<Key> keys_of_running() {
  using C = RunConfig;
  using enum Effect;
  return {
      {.name = "lanes",
       .group = kMachine,
       .member = &C::lanes,
       .help = "Parts of a batch with their own gradient; any number of ranks up to\n"
               "lanes gives the same bits. ranks: one a rank, fastest, other bits.",
       .effect = kNumerics,
       .minimum = 1,
       .maximum = 4096,
       .choices = {"ranks"}},
      {.name = "device",
       .group = kMachine,
       .member = &C::device,
       .help = "Where to compute. auto: a GPU where there is one.",
       .effect = kNumerics,
       .choices = {"auto", "cpu", "cuda"},
       .verbs = {"doctor", "eval", "predict"}},  // a plan is for a --machine
      {.name = "share-device",
       .group = kMachine,
       .member = &C::share_device,
       .help = "Let several ranks of a node use the same GPU, for tests: slower than\n"
               "one rank for each, which is asked for otherwise.",
       .effect = kOperational,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "threads",
       .group = kMachine,
       .member = &C::threads,
       .help = "Processor threads of each rank. Cores are best filled with ranks.",
       .effect = kNumerics,
       .minimum = 1,
       .maximum = 1024,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "precision",
       .group = kMachine,
       .member = &C::precision,
       .help = "Of the backbone's frozen matrices, their products, and what goes from\n"
               "layer to layer: residual sums and the norms of the blocks. bf16 halves\n"
               "its memory. Adapter, features, head, Fisher and merge stay fp32. Slow\n"
               "where the processor has no bf16 instructions.",
       .effect = kNumerics,
       .choices = {"fp32", "bf16"},
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "activation-checkpointing",
       .group = kMachine,
       .member = &C::activation_checkpointing,
       .help = "Keep only what goes from block to block, and compute the rest again in\n"
               "the backward pass: a fraction of the memory for a third more work, and\n"
               "the same bits.",
       .effect = kOperational},
      {.name = "cuda-graphs",
       .group = kMachine,
       .member = &C::cuda_graphs,
       .help = "On a GPU, record passes that repeat and launch each with one call. The\n"
               "same bits; false takes less memory and shows where an error arises.",
       .effect = kOperational,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "evaluation-batch",
       .group = kMachine,
       .member = &C::evaluation_batch,
       .help = "Samples per forward pass in evaluation, and at most in the Fisher pass,\n"
               "which takes no more than a lane of the batch.",
       .effect = kNumerics,
       .minimum = 1,
       .maximum = kMost,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "hang-seconds",
       .group = kMachine,
       .member = &C::hang_seconds,
       .help = "A rank that waits longer than this for another ends the job; 0: never. One\n"
               "that reads, hashes or writes much is waited for while it goes on.",
       .effect = kOperational,
       .minimum = 0,
       .maximum = kMost,
       .verbs = {"plan", "doctor", "eval", "predict"}},
      {.name = "stage",
       .group = kMachine,
       .member = &C::stage,
       .help = "A folder on a disk of each node: one rank copies the pack there, unless it\n"
               "has it already, and all ranks of the node read the copy. Without room the\n"
               "pack is read where it is, with a warning.",
       .effect = kOperational,
       .verbs = {}},
      {.name = "resume",
       .group = kRun,
       .member = &C::resume,
       .help = "auto: go on where the run folder's newest checkpoint stands, or start a\n"
               "new run when there is none.",
       .effect = kOperational,
       .choices = {"never", "auto"},
       .verbs = {}},
      {.name = "fork",
       .group = kRun,
       .member = &C::fork,
       .help = "Start a new run from a finished task of another: its run folder, or one\n"
               "of the states in it. Any setting may differ from now on.",
       .effect = kOperational,
       .verbs = {}},
      {.name = "continue",
       .group = kRun,
       .member = &C::continue_from,
       .help = "Start a new run from the newest state of another (a run folder, or one of\n"
               "its states) whose data may be gone: pack and protocol hold new tasks only.",
       .effect = kOperational,
       .verbs = {}},
      {.name = "allow-numerics-change",
       .group = kRun,
       .member = &C::allow_numerics_change,
       .help = "Resume although the processor or a library version is another: the\n"
               "results are then as good, but not the same to the last bit.",
       .effect = kOperational,
       .verbs = {"doctor"}},
      {.name = "checkpoint-every",
       .group = kRun,
       .member = &C::checkpoint_every,
       .help = "Save within a task after so many steps; 0: not by steps.",
       .effect = kOperational,
       .minimum = 0,
       .maximum = kMost,
       .verbs = {}},
      {.name = "checkpoint-minutes",
       .group = kRun,
       .member = &C::checkpoint_minutes,
       .help = "Save within a task after so many minutes; 0: not by time.",
       .effect = kOperational,
       .minimum = 0,
       .maximum = kMost,
       .verbs = {}},
      {.name = "stop-after",
       .group = kRun,
       .member = &C::stop_after,
       .help = "Minutes after which the run saves at the next step and ends with exit\n"
               "code 85, as on a signal; 0: never.",
       .effect = kOperational,
       .minimum = 0,
       .maximum = kMost,
       .verbs = {}},
      {.name = "progress",
       .group = kRun,
       .member = &C::progress,
       .help = "auto: a bar on a terminal, plain lines in a log. none: results only.",
       .effect = kOperational,
       .choices = {"auto", "bar", "plain", "none"},
       .verbs = {}},
      {.name = "log-every",
       .group = kRun,
       .member = &C::log_every,
       .help = "Steps between two plain lines.",
       .effect = kOperational,
       .minimum = 1,
       .maximum = kMost,
       .verbs = {}},
      {.name = "tensorboard",
       .group = kRun,
       .member = &C::tensorboard,
       .help = "Write events for TensorBoard into the run folder: about 150 bytes a step.",
       .effect = kOperational,
       .verbs = {}},
      {.name = "profile",
       .group = kRun,
       .member = &C::profile,
       .help = "Write profile.json into the run folder, a trace of phases and collectives\n"
               "of every rank for ui.perfetto.dev, and print a table of them at the end.",
       .effect = kOperational,
       .verbs = {}},
      {.name = "dry-run",
       .group = kRun,
       .member = &C::dry_run,
       .help = "Say what would run, with parameters, steps and memory, and stop.",
       .effect = kOperational,
       .verbs = {}},
  };
}

}  // namespace palimpsest
