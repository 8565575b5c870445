#include "plan_command.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <iostream>
#include <optional>
#include <sstream>

#include "measured_step.h"
#include "palimpsest/adapter/adapter.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/continual/open_run.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/model/frozen_product.h"
#include "palimpsest/report/readable.h"
#include "plan_request.h"
#include "scaling_report.h"
#include "workload.h"

namespace palimpsest {
namespace {

using Rows = std::vector<std::vector<std::string>>;

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

double training_operations(const RunConfig& config, const Workload& work,
                           const TrainingShape& training) {
  return static_cast<double>(config.epochs * config.passes_per_epoch * work.train_samples) *
         operations_per_sample(work.model, work.layout, training, work.mean_tokens).training;
}

// What `world_size` ranks cost, a line each.
Rows cost_rows(const RunConfig& config, const Workload& work, int world_size, bool on_device) {
  const TrainingShape training = training_shape(config, work, world_size, on_device);
  const Lanes lanes = lanes_of(config.lanes, world_size);
  const ParameterCounts parameters = parameter_counts(work.model, work.layout, training);
  const MemoryEstimate memory = memory_estimate(work.model, work.layout, training);
  Rows rows = {
      {"parameters", grouped(parameters.backbone)},
      {"adapted weights", grouped(parameters.adapted)},
      {"trained per task", grouped(parameters.trained())},
      {"steps", grouped(work.steps) + " of up to " + grouped(config.batch) + " samples"},
      {"samples", grouped(config.epochs * config.passes_per_epoch * work.train_samples) + ", " +
                      fixed(work.mean_tokens, 1) + " tokens each"},
      {"training work", fixed(training_operations(config, work, training) / 1e12, 1) + " TFLOP"},
      {"sent per step and rank",
       byte_count(exchanged_bytes(sizeof(float) * static_cast<double>(parameters.trained()),
                                  lanes.count, world_size, lanes.ordered))},
      {"memory, rank 0", byte_count(memory.peak()) + " at its peak"},
      {"  program", byte_count(memory.program)},
      {"  weights", byte_count(memory.weights)},
      {"  adapted", byte_count(memory.adapted)},
      {"  activations", byte_count(memory.activations)},
      {"  curvature",
       byte_count(memory.curvature) +
           (on_device ? ", on rank 0 alone and in its host memory" : ", on rank 0 alone")},
      {"  optimizer", byte_count(memory.optimizer) + " while training,"},
      {"  Fisher", byte_count(memory.fisher) + " after it: the greater counts"}};
  if (memory.alignment > 0) {
    rows.push_back({"  alignment", byte_count(memory.alignment) +
                                       " after the last merge, instead of activations, optimizer "
                                       "and Fisher"});
  }
  return rows;
}

// What a rank computes with, and where the figure comes from.
struct Speed {
  ComputeCost cost;
  std::string source;
};

// As the machine file has it; 0: it is to be measured.
double named_rate(const RunConfig& config, const Machine& machine) {
  return config.precision == Precision::kBf16 ? machine.bf16_rate : machine.fp32_rate;
}

std::string teraflops(double rate) { return fixed(rate / 1e12, 2) + " TFLOP/s"; }

Speed speed_at_share(const RunConfig& config, const Machine& machine, const Workload& work,
                     const Operations& operations) {
  double rate = named_rate(config, machine);
  const bool is_named = rate > 0;
  if (!is_named) {
    configure_processor(static_cast<int>(config.device.threads));
    rate = matrix_rate(config.precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat,
                       work.model.width);
  }
  return {cost_at_rate(operations, machine.share * rate),
          concat("A rank is taken to reach ", fixed(100 * machine.share, 0), " % of ",
                 teraflops(rate), " in ", name(config.precision),
                 is_named ? " (machine file)" : " (products of matrices, measured now)")};
}

Speed measured_speed(Session& session, const Operations& operations, const TaskWork& task,
                     std::int64_t first) {
  const auto lane_samples = [&](std::int64_t ranks) {
    const std::int64_t lanes = over_ranks(task, ranks).lanes;
    return (task.batch + lanes - 1) / lanes;
  };
  const ComputeCost cost = measured_cost(
      session, operations, {.small = lane_samples(kMostRanks), .large = lane_samples(first)});
  const int ranks = session.group.size();
  return {cost, concat("Measured now", ranks == 1 ? "" : concat(" on ", ranks, " ranks at once"),
                       ": ", fixed(1e3 * cost.step, 2), " ms a step, ", fixed(1e3 * cost.lane, 2),
                       " ms a lane, ", fixed(1e3 * cost.sample, 2), " ms a sample (",
                       teraflops(operations.training / cost.sample), "), ",
                       fixed(1e3 * cost.input, 3), " ms to read and prepare one")};
}

std::string memory_line(const Machine& machine, double peak) {
  if (machine.memory == 0) return "";
  return concat(" A rank's ", fixed(machine.memory / 1e9, 0), " GB ",
                peak < machine.memory
                    ? "hold this."
                    : "do not hold this: try --activation-checkpointing, --precision bf16, more "
                      "lanes or a smaller batch.");
}

// As many lanes as ranks where they are fewer.
RunConfig with_lanes_for(RunConfig config, std::int64_t ranks) {
  if (config.lanes != 0) config.lanes = std::max(config.lanes, ranks);
  return config;
}

std::string ranks_and_lanes(const RunConfig& config, int ranks) {
  return concat(ranks, ranks == 1 ? " rank and " : " ranks and ",
                lanes_of(config.lanes, ranks).count, " lanes");
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
  if (left == all && !run.progress)
    return concat("Would train ", all, all == 1 ? " task" : " tasks", where);
  return concat(
      "Would train ", left == 1 ? "task " : "tasks ", all - left + 1,
      left == 1 ? "" : concat(" to ", all), " of ", all,
      run.progress ? concat(", from step ", run.progress->steps_done + 1, " of the first on,") : "",
      where);
}

}  // namespace

std::string dry_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog) {
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  const RunEvents nobody;
  const OpenRun run = open_without_writing(config, group, watchdog, nobody);
  const Inputs& inputs = run.session.inputs;
  const Placement& placement = run.session.placement;
  Rows rows{{"pack", config.pack + " (content " + short_hash(inputs.pack.content_sha256()) + ")"},
            {"backbone", config.backbone + " (SHA-256 " + short_hash(inputs.backbone_sha256) + ")"},
            {"device", placement.device_model.empty()
                           ? placement.description
                           : concat(placement.description, " (", placement.device_model, ")")}};
  for (auto& row :
       cost_rows(config, workload_of(config, inputs), group.size(), placement.device.is_cuda())) {
    rows.push_back(std::move(row));
  }
  std::ostringstream out;
  out << what_would_run(run) << "; nothing was run.\n\n" << text_table(rows, "ll") << "\n";
  rows = {{"task", "classes", "train", "test", ""}};
  for (const Task& task : inputs.tasks) {
    rows.push_back({task.name, grouped(std::ssize(task.classes)), grouped(task.train.size()),
                    grouped(task.test.size()), wrap(listed(task.classes), 100, 36, 36)});
  }
  out << text_table(rows, "lrrrl");
  return out.str();
}

std::string plan(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog) {
  const PlanRequest request = parse_plan_request(arguments);
  const Machine machine = open_machine(request.machine);
  const bool sketched = !request.sketch.shape.empty();
  const int first = static_cast<int>(request.world_sizes.front());
  RunConfig config =
      with_lanes_for(sketched ? parse_settings(all_settings(), request.settings, {}, "plan")
                              : parse_run_config(all_settings(), request.settings, "plan"),
                     first);
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  std::optional<Inputs> inputs;
  if (!sketched) inputs.emplace(open_inputs(config, adapters().make(config.adapter)->targets()));
  if (inputs && group.rank() == 0) {
    for (const std::string& remark : inputs->remarks) std::cerr << "palimpsest: " << remark << "\n";
  }
  const Workload work = inputs ? workload_of(config, *inputs) : workload_of(config, request.sketch);
  const TrainingShape training = training_shape(config, work, first, machine.accelerator);
  const Operations operations =
      operations_per_sample(work.model, work.layout, training, work.mean_tokens);
  const TaskWork task = task_work(config, work);

  const bool measured = inputs && named_rate(config, machine) == 0 &&
                        adapters().make(config.adapter)->learns(0).any();
  if (inputs && !measured)
    make_backbone(*inputs->weights, inputs->backbone, inputs->choice, at::kCPU);  // or refused
  Speed speed;
  if (measured) {
    config.device.kind =
        machine.accelerator ? DeviceSettings::Kind::kCuda : DeviceSettings::Kind::kCpu;
    const RunEvents nobody;
    Session session =
        open_session(config, *std::move(inputs), /*stop_after=*/0, group, watchdog, nobody);
    speed = measured_speed(session, operations, task, first);
  } else {
    speed = speed_at_share(config, machine, work, operations);
  }
  if (machine.input_rate > 0) speed.cost.input = 1 / machine.input_rate;

  const double peak = memory_estimate(work.model, work.layout, training).peak();
  return concat(
      work.tasks, " tasks of ", sketched ? request.sketch.shape : config.backbone, " over ",
      ranks_and_lanes(config, first), "; nothing was trained.\n\n",
      text_table(cost_rows(config, work, first, machine.accelerator), "ll"), "\n",
      wrap(concat(speed.source, ". The network is that of ", machine.name, ".",
                  memory_line(machine, peak),
                  " Times are forecasts: docs/cluster.md says how near they came. Lanes are raised "
                  "to the ranks where they are fewer."),
           100, 0, 0),
      "\n\n", scaling_table(task, speed.cost, machine, request.world_sizes, work.tasks), "\n",
      wrap(scaling_sentence(task, speed.cost, machine), 100, 0, 0), "\n");
}

}  // namespace palimpsest
