// palimpsest plan, and palimpsest train --dry-run: what would run and what it costs, without
// training.

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <optional>
#include <sstream>
#include <utility>

#include "commands.h"
#include "palimpsest/config/keys.h"
#include "palimpsest/continual/open_run.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/model/frozen_product.h"
#include "palimpsest/plan/exchange.h"
#include "palimpsest/plan/machine.h"
#include "planning.h"

namespace palimpsest {
namespace {

struct PlanRequest {
  std::vector<std::int64_t> world_sizes = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};  // rising
  std::filesystem::path machine;                                                    // or a name
  SketchedStream sketch;
  std::vector<std::string> settings;  // what train takes
};

constexpr const char* kUsualMachine = "cpu-ethernet-10g";

Options plan_options(PlanRequest& request) {
  SketchedStream& sketch = request.sketch;
  static const std::vector<CompiledText> machines = machine_texts();
  std::vector<std::string_view> names;
  for (const CompiledText& machine : machines) names.push_back(machine.name);
  return {
      option("world-size 1,8,64", request.world_sizes,
             "numbers of ranks to plan for (1 to 512 by doubling); memory is of the smallest",
             {.minimum = 1, .maximum = 1e6}),
      option("machine MACHINE", request.machine,
             "the machine: a name below, or the path of a .cfg file (cpu-ethernet-10g)",
             {.choices = names}),
      option("shape SHAPE", sketch.shape,
             "without weights: a published backbone (vit-b/16, bert-base, llama3-8b, ...), or the "
             "config.json of a decoder or a text encoder"),
      option("task-count N", sketch.tasks, "with --shape: tasks (10)", {.minimum = 1}),
      option("task-samples N", sketch.train_samples,
             "with --shape: training samples of a task (2400)", {.minimum = 1}),
      option("task-classes N", sketch.classes, "with --shape: classes of a task (20)",
             {.minimum = 1}),
      option("tokens N", sketch.tokens, "with --shape, texts: tokens of a text"),
      option("completion-tokens N", sketch.completion_tokens,
             "with --shape, a decoder's next-token objective: tokens of these that are predicted "
             "(all but one)",
             {.minimum = 1})};
}

PlanRequest parse_plan_request(std::span<const std::string> arguments) {
  PlanRequest request;
  request.settings = take_own_options(all_settings(), plan_options(request), arguments, "plan");
  if (request.sketch.shape.empty() && request.sketch != SketchedStream())
    throw UsageError(
        "--task-count, --task-samples, --task-classes, --tokens and --completion-tokens describe a "
        "stream without files: give --shape, or leave them out");
  std::vector<std::int64_t>& sizes = request.world_sizes;
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return request;
}

// Operations per second of one product like an MLP's, on one rank of this machine.
double matrix_rate(at::ScalarType type, std::int64_t width) {
  const c10::NoGradGuard no_grad;
  const at::Tensor x = at::ones({512, width}).to(type), w = at::ones({4 * width, width}).to(type),
                   bias = at::zeros({4 * width}).to(type);
  frozen_product(x, w, bias);
  const Stopwatch watch;
  std::int64_t products = 0;
  for (; watch.seconds() < 0.3; ++products) frozen_product(x, w, bias);
  return static_cast<double>(products) * 2 * 512 * 4 * static_cast<double>(width * width) /
         watch.seconds();
}

// Seconds of an operation in float64: half the rate of the machine file's float32, or measured.
double double_seconds(const Machine& machine, std::int64_t width) {
  if (machine.fp32_rate > 0) return 2 / (machine.share * machine.fp32_rate);
  return 1 / matrix_rate(at::kDouble, width);
}

// Counts, a line each.
Rows count_rows(const RunConfig& config, const Workload& work, std::int64_t ranks) {
  const double tasks = work.learning * static_cast<double>(work.tasks);
  const double passes = static_cast<double>(config.epochs * config.passes_per_epoch);
  const double samples = passes * tasks * work.train_samples;
  const double gradient = sizeof(float) * static_cast<double>(work.trained());
  const std::int64_t lanes = over_ranks(work, ranks).lanes;
  Rows rows = {
      {"parameters", grouped(work.model.parameters() +
                             (work.most_predictions > 0 ? work.model.output_parameters() : 0))},
      {"adapted weights", grouped(work.adapted)},
      {"trained per task", grouped(work.trained())},
      {"steps", concat(grouped(std::llround(tasks * work.steps)), " of up to ",
                       grouped(config.batch), " samples")},
      {"training samples",
       concat(grouped(std::llround(samples)), " in all epochs, ", fixed(work.mean_tokens, 1),
              " tokens each",
              work.most_predictions > 0
                  ? concat(", of which ", fixed(work.mean_predictions, 1), " are predicted")
                  : "")},
      {"training work", fixed(samples * operations_per_sample(work).training / 1e12, 1) + " TFLOP"},
      {"sent per step and rank",
       byte_count(exchanged_bytes(gradient, lanes, ranks, work.ordered))}};
  if (work.tested_samples > 0) {
    const double tested = static_cast<double>(work.tasks) * work.tested_samples;
    rows.push_back({"test samples", grouped(std::llround(tested)) +
                                        " in all tests, before and after each merge (--evaluate)"});
  }
  if (work.tested_besides > 0) {
    const double besides = static_cast<double>(work.tasks) * work.tested_besides;
    rows.push_back({"other tests", concat("the time of ", grouped(std::llround(besides)),
                                          " test samples, for --general and task scores")});
  }
  constexpr double kShown = 5e8;  // operations, which print as 0.001
  if (work.classifier_operations >= kShown) {
    rows.push_back({"classifier", fixed(work.classifier_operations / 1e12, 3) +
                                      " TFLOP a task in float64, on rank 0 alone"});
  }
  return rows;
}

Rows memory_rows(const CountedMemory& memory, bool shards, bool on_device) {
  const std::string where = concat(shards ? ", its shard" : ", on rank 0 alone",
                                   on_device ? " and in its host memory" : "");
  return {{"memory, rank 0",
           byte_count(memory.peak(on_device)) + " at its peak: counted, not measured"},
          {"  program", byte_count(memory.program) + ", assumed"},
          {"  weights", byte_count(memory.weights)},
          {"  activations", byte_count(memory.activations)},
          {"  logits", byte_count(memory.logits) + ", of tokens that are predicted"},
          {"  optimizer", byte_count(memory.optimizer) + " while training,"},
          {"  Fisher", byte_count(memory.fisher) + " after it: the greater counts"},
          {"  curvature", byte_count(memory.curvature) + where},
          {"  classifier", byte_count(memory.classifier) + ", on rank 0 alone"},
          {"  saving",
           shards ? "0 B, written module by module"
                  : byte_count(memory.saving) + where + ": a copy of the state, and its file"}};
}

Rows memory_rows(const MeasuredCosts& measured) {
  Rows rows = {{"memory, rank 0", byte_count(measured.peak + measured.counted - measured.sharded) +
                                      " at its peak: measured"},
               {"  opened", byte_count(measured.opened) + ", program, model and data"},
               {"  at work", byte_count(measured.peak - measured.opened) +
                                 ", the most that steps, passes and merges took besides"}};
  if (measured.counted > 0)
    rows.push_back(
        {"  counted", byte_count(measured.counted) +
                          ", of more samples and classes than were measured, and of a save"});
  if (measured.sharded > 0)
    rows.push_back({"  sharded", concat("-", byte_count(measured.sharded),
                                        " by --shard-memory: counted, measured without")});
  return rows;
}

// Throws UsageError where a run over so many ranks would.
void check_shards_of(const Workload& work, std::span<const std::int64_t> world_sizes) {
  for (const std::int64_t ranks : world_sizes) {
    if (work.shard_memory && ranks > work.modules)
      throw UsageError(concat("--shard-memory: expected at most ", work.modules,
                              " ranks, one for each adapted module, found --world-size ", ranks));
  }
}

// As the machine file has it; 0: it is to be measured.
double named_rate(const RunConfig& config, const Machine& machine) {
  return config.precision == Precision::kBf16 ? machine.bf16_rate : machine.fp32_rate;
}

std::string teraflops(double rate) { return fixed(rate / 1e12, 2) + " TFLOP/s"; }

// What is known of a run's memory and speed, and where it comes from.
struct Costs {
  ComputeCost compute = {};
  double peak = 0;  // bytes of rank 0
  double room = 0;  // bytes for a rank; 0: not known
  Rows memory = {};
  std::string source = {};
};

Costs counted_costs(const RunConfig& config, const Machine& machine, const Workload& work,
                    std::int64_t ranks) {
  double rate = named_rate(config, machine);
  const bool is_named = rate > 0;
  if (!is_named) {
    configure_processor(static_cast<int>(config.device.threads));
    rate = matrix_rate(config.precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat,
                       work.model.width);
  }
  const CountedMemory memory = counted_memory(work, ranks, machine.accelerator);
  return {.compute = cost_at_rate(operations_per_sample(work), machine.share * rate),
          .peak = memory.peak(machine.accelerator),
          .room = machine.memory,
          .memory = memory_rows(memory, work.shard_memory, machine.accelerator),
          .source = concat(
              "Nothing was measured. Memory is counted, without that of lora:a=covariance. A rank "
              "is assumed to reach ",
              percent(machine.share, 0), " % of ", teraflops(rate), " in ", name(config.precision),
              is_named ? " (machine file)." : " (products of matrices, measured now).")};
}

Costs measured_costs(const RunConfig& config, const Machine& machine, const Workload& work,
                     Inputs inputs, std::int64_t ranks, HostGroup& group, Watchdog& watchdog) {
  MeasuredCosts measured = measure_costs(config, std::move(inputs), work, ranks, group, watchdog);
  if (work.shard_memory) {
    Workload whole = work;
    whole.shard_memory = false;
    measured.sharded = counted_memory(whole, ranks, false).peak(false) -
                       counted_memory(work, ranks, false).peak(false);
  }
  const ComputeCost& cost = measured.cost;
  const int own = group.size();
  const double pages = static_cast<double>(sysconf(_SC_PHYS_PAGES)) / own;
  Costs costs{.compute = cost,
              .peak = measured.peak + measured.counted - measured.sharded,
              .room = machine.memory > 0 ? machine.memory
                                         : pages * static_cast<double>(sysconf(_SC_PAGESIZE)),
              .memory = memory_rows(measured)};
  costs.source =
      concat("Measured now", own == 1 ? "" : concat(" on ", own, " ranks at once"), ": ",
             fixed(1e3 * cost.step, 2), " ms a step, ", fixed(1e3 * cost.lane, 2), " ms a lane, ",
             fixed(1e3 * cost.sample, 2), " ms a sample (",
             teraflops(operations_per_sample(work).training / cost.sample), "); memory ");
  if (machine.accelerator) {  // the process's own memory says nothing of the device's
    const Costs counted = counted_costs(config, machine, work, ranks);
    costs.peak = counted.peak;
    costs.room = counted.room;
    costs.memory = counted.memory;
    costs.source += "is counted.";
  } else if (measured.measured_share < 1) {
    costs.source += concat("with ", percent(measured.measured_share, 0),
                           " % of a lane's samples; the rest is counted.");
  } else {
    costs.source += "was measured over two tasks with a few samples each.";
  }
  return costs;
}

std::string memory_sentence(const Costs& costs, const Workload& work, std::int64_t ranks,
                            bool on_device) {
  if (costs.room == 0) return "";
  return concat(
      " A rank's ", fixed(costs.room / 1e9, 0), " GB are ",
      costs.peak < costs.room
          ? "enough."
          : concat("not enough", saving_sentence(work, ranks, on_device, costs.peak, costs.room)));
}

// Where the requested device isn't the machine's.
std::string device_sentence(DeviceKind asked, const RunConfig& config, const Machine& machine) {
  if (asked == DeviceKind::kAuto || asked == config.device.kind) return "";
  return concat(" It is for ", name(config.device.kind), ", as ", machine.name,
                " has it, and not for device = ", name(asked), ": --machine chooses.");
}

// As many lanes as ranks where they are fewer.
RunConfig with_lanes_for(RunConfig config, std::int64_t ranks) {
  if (config.lanes != 0) config.lanes = std::max(config.lanes, ranks);
  return config;
}

// Where no machine was chosen.
std::string usual_machine_sentence() {
  std::vector<std::string_view> accelerators;
  for (const CompiledText& machine : machine_texts())
    if (open_machine(std::string(machine.name)).accelerator) accelerators.push_back(machine.name);
  return concat(
      wrap(concat("No --machine was given: this plan is for processors like this one and a "
                  "network of 10 Gbit/s (",
                  kUsualMachine, "). For GPUs: --machine ", in_words(accelerators, "or"), "."),
           100, 0, 0),
      "\n\n");
}

std::string ranks_and_lanes(const RunConfig& config, int ranks) {
  return concat(counted(ranks, "rank"), " and ",
                counted(make_lanes(config.lanes, ranks).count, "lane"));
}

// "Would train tasks 3 to 6, from step 18 of the first on, over 2 ranks and 4 lanes, into runs/x".
std::string what_would_run(const OpenRun& run) {
  const RunConfig& config = run.session.config;
  const std::size_t all = run.session.tasks().size(), left = run.remaining().size();
  const std::string where =
      concat(" over ", ranks_and_lanes(config, run.session.group.size()), ", into ", config.out);
  if (left == 0) {
    return concat("Would train nothing more: all ", all, " tasks are done in ", config.out);
  }
  if (left == all && !run.progress) return concat("Would train ", counted(all, "task"), where);
  return concat(
      "Would train ", left == 1 ? "task " : "tasks ", all - left + 1,
      left == 1 ? "" : concat(" to ", all), " of ", all,
      run.progress ? concat(", from step ", run.progress->steps_done + 1, " of the first on,") : "",
      where);
}

}  // namespace

std::string dry_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog) {
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  const RunEvents no_listeners;
  const OpenRun run = open_without_writing(config, group, watchdog, no_listeners);
  const Inputs& inputs = run.session.inputs;
  const Placement& placement = run.session.placement;
  Rows rows{{"pack", config.pack + " (content " + short_hash(inputs.pack.content_sha256()) + ")"},
            {"backbone", config.backbone + " (SHA-256 " + short_hash(inputs.backbone_sha256) + ")"},
            {"device", placement.device_model.empty()
                           ? placement.description
                           : concat(placement.description, " (", placement.device_model, ")")}};
  const Workload work = make_workload(config, inputs);
  for (auto& row : count_rows(config, work, group.size())) rows.push_back(std::move(row));
  rows.push_back({"memory", placement.device.is_cuda()
                                ? byte_count(counted_memory(work, group.size(), true).peak(true)) +
                                      " of a GPU, counted"
                                : "palimpsest plan measures it"});
  std::ostringstream out;
  out << what_would_run(run) << "; nothing was run.\n\n" << text_table(rows, "ll") << "\n";
  rows = {{"task", "classes", "train", "test", ""}};
  for (const Task& task : inputs.tasks) {
    rows.push_back({task.name, grouped(std::ssize(task.classes)), grouped(task.train.size()),
                    grouped(task.test.size()), wrap(join(task.classes), 100, 36, 36)});
  }
  out << text_table(rows, "lrrrl");
  return out.str();
}

std::string plan(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog) {
  const PlanRequest request = parse_plan_request(arguments);
  const bool has_machine = !request.machine.empty();
  const Machine machine = open_machine(has_machine ? request.machine.string() : kUsualMachine);
  const bool sketched = !request.sketch.shape.empty();
  const int first = static_cast<int>(request.world_sizes.front());
  RunConfig config =
      with_lanes_for(sketched ? parse_settings(all_settings(), request.settings, {}, "plan")
                              : parse_run_config(all_settings(), request.settings, "plan"),
                     first);
  const DeviceKind asked =
      std::exchange(config.device.kind, machine.accelerator ? DeviceKind::kCuda : DeviceKind::kCpu);
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  std::optional<Inputs> inputs;
  if (!sketched) inputs.emplace(open_inputs(config, adapter_targets(config.adapter)));
  if (inputs && group.rank() == 0) {
    for (const std::string& remark : inputs->remarks) std::cerr << "palimpsest: " << remark << "\n";
  }
  const Workload work =
      inputs ? make_workload(config, *inputs) : make_workload(config, request.sketch);
  check_shards_of(work, request.world_sizes);
  const std::string name = sketched ? request.sketch.shape : config.backbone;
  Rows rows = count_rows(config, work, first);
  Costs costs;
  if (inputs && named_rate(config, machine) == 0) {
    costs = measured_costs(config, machine, work, *std::move(inputs), first, group, watchdog);
  } else {
    if (inputs)
      make_backbone(*inputs->weights, inputs->backbone, inputs->choice, at::kCPU);  // or refused
    costs = counted_costs(config, machine, work, first);
  }
  if (work.classifier_operations > 0)
    costs.compute.operation = double_seconds(machine, work.model.width);
  if (machine.input_rate > 0) costs.compute.input = 1 / machine.input_rate;
  rows.insert(rows.end(), costs.memory.begin(), costs.memory.end());
  return concat(has_machine ? "" : usual_machine_sentence(), work.tasks, " tasks of ", name,
                " over ", ranks_and_lanes(config, first), "; nothing is kept.\n\n",
                text_table(rows, "ll"), "\n",
                wrap(concat(costs.source, " The network is that of ", machine.name, ".",
                            memory_sentence(costs, work, first, machine.accelerator),
                            device_sentence(asked, config, machine),
                            " Times are forecasts; docs/planning.md says how accurate they were. "
                            "With fewer lanes than ranks, the plan raises the lanes to the ranks."),
                     100, 0, 0),
                "\n\n", scaling_report(work, costs.compute, machine, request.world_sizes));
}

std::string plan_help() {
  PlanRequest request;
  return concat(
      "Usage: palimpsest plan [settings] [--world-size 1,8,64] [--machine MACHINE]\n"
      "\n"
      "Forecasts a run before it starts: whether it fits into memory, how long it takes on many "
      "ranks, and\n"
      "where more ranks stop helping. If the machine file has no rate, it measures the\n"
      "run's own code on a few samples, for a minute or two, on the ranks that it is started on. "
      "If the file\n"
      "has a rate, or with --shape, it calculates memory and time. It writes nothing.\n"
      "\n"
      "Examples:\n"
      "  palimpsest plan --config configs/openclipart.cfg --world-size 1,2,4,8\n"
      "  palimpsest plan --shape vit-g/14 --precision bf16 --lanes 64 --world-size 64 --machine "
      "h100\n"
      "  palimpsest plan --shape llama3-8b --config configs/methods/next-token.cfg --tokens 512 "
      "--machine h100\n"
      "Exit codes: palimpsest --help lists them.\n"
      "\n",
      "Of the plan:\n", options_help(plan_options(request)), '\n', machine_help(), '\n',
      verb_settings_help(all_settings(), "plan"));
}

std::string plan_completion() {
  PlanRequest request;
  return completion_lines("palimpsest plan", plan_options(request));
}

}  // namespace palimpsest
