#include "plan_command.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <boost/program_options.hpp>
#include <optional>
#include <sstream>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/report/readable.h"
#include "workload.h"

namespace palimpsest {
namespace {

namespace po = boost::program_options;
using Rows = std::vector<std::vector<std::string>>;

struct PlanRequest {
  int world_size = 1;
  std::string device = "cpu";
  SketchedStream sketch;
  std::vector<std::string> settings;  // what train takes
};

po::options_description plan_options(PlanRequest& request) {
  po::options_description options("Of the plan");
  SketchedStream& sketch = request.sketch;
  options.add_options()                                                                      //
      ("world-size", po::value(&request.world_size)->default_value(1), "ranks to plan for")  //
      ("on", po::value(&request.device)->default_value("cpu"),
       "processor of a rank: a100, h100, h200, or cpu: this machine's, measured now")  //
      ("shape", po::value(&sketch.shape),
       "without any file: a published backbone (vit-b/16, vit-g/14, bert-base, ...)")     //
      ("task-count", po::value(&sketch.tasks)->default_value(10), "with --shape: tasks")  //
      ("task-samples", po::value(&sketch.train_samples)->default_value(2400),
       "with --shape: training samples of a task")  //
      ("task-classes", po::value(&sketch.classes)->default_value(20),
       "with --shape: classes of a task")  //
      ("tokens", po::value(&sketch.tokens), "with --shape, texts: tokens of a text");
  return options;
}

PlanRequest parse_request(std::span<const std::string> arguments) {
  PlanRequest request;
  const po::options_description options = plan_options(request);
  try {
    using namespace po::command_line_style;
    const auto parsed = po::command_line_parser({arguments.begin(), arguments.end()})
                            .options(options)
                            .style(allow_long | long_allow_adjacent | long_allow_next)
                            .allow_unregistered()
                            .run();
    po::variables_map values;
    po::store(parsed, values);
    po::notify(values);
    request.settings = po::collect_unrecognized(parsed.options, po::include_positional);
  } catch (const po::error& error) {
    throw UsageError(concat("command line: ", error.what()));
  }
  const SketchedStream& s = request.sketch;
  if (request.world_size < 1 || s.tasks < 1 || s.train_samples < 1 || s.classes < 1 ||
      s.tokens < 0) {
    throw UsageError("plan: ranks, tasks, samples, classes and tokens are counted from 1");
  }
  return request;
}

// Operations per second of one product like an MLP's, on one rank of this machine.
double matrix_rate(at::ScalarType type, std::int64_t width) {
  const c10::NoGradGuard no_grad;
  const at::Tensor x = at::ones({512, width}).to(type), w = at::ones({4 * width, width}).to(type);
  at::linear(x, w);
  const Stopwatch watch;
  std::int64_t products = 0;
  for (; watch.seconds() < 0.3; ++products) at::linear(x, w);
  return static_cast<double>(products) * 2 * 512 * 4 * static_cast<double>(width * width) /
         watch.seconds();
}

Device device_of(const PlanRequest& request, const RunConfig& config, std::int64_t width) {
  if (request.device != "cpu") return published_device(request.device);
  configure_processor(static_cast<int>(config.threads));
  // Shared memory, and 10 Gbit/s Ethernet: assumed.
  return {.name = "cpu",
          .fp32 = matrix_rate(at::kFloat, width),
          .bf16 = matrix_rate(at::kBFloat16, width),
          .share = 0.5,
          .memory = 0,
          .node_bandwidth = 2e9,
          .fleet_bandwidth = 1e9,
          .ranks_per_node = 64};
}

double training_operations(const RunConfig& config, const Workload& work,
                           const TrainingShape& training) {
  return static_cast<double>(config.epochs * config.passes_per_epoch * work.train_samples) *
         operations_per_sample(work.model, work.layout, training, work.mean_tokens).training;
}

// What `world_size` ranks cost, a line each.
Rows cost_rows(const RunConfig& config, const Workload& work, int world_size, bool on_device) {
  const TrainingShape training = training_shape(config, work, world_size, on_device);
  const Lanes lanes = lanes_of(config, world_size);
  const ParameterCounts parameters = parameter_counts(work.model, work.layout, training);
  const MemoryEstimate memory = memory_estimate(work.model, work.layout, training);
  return {
      {"parameters", grouped(parameters.backbone)},
      {"adapted weights", grouped(parameters.adapted)},
      {"trained per task", grouped(parameters.trained())},
      {"steps", grouped(work.steps) + " of up to " + grouped(config.batch) + " samples"},
      {"samples", grouped(config.epochs * config.passes_per_epoch * work.train_samples) + ", " +
                      fixed(work.mean_tokens, 1) + " tokens each"},
      {"training work", fixed(training_operations(config, work, training) / 1e12, 1) + " TFLOP"},
      {"sent per step and rank",
       byte_count(exchanged_bytes(parameters.trained(), lanes.count, world_size, lanes.ordered))},
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
}

// One line for each number of ranks; lanes grow where there are fewer than ranks.
Rows scaling_rows(RunConfig config, const Workload& work, const Device& device, int world_size) {
  std::vector<int> sizes{1, 8, 64, 512, world_size};
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  Rows rows{{"ranks", "lanes", "idle", "step", "exchange", "training", "Fisher", "task", "stream",
             "speed-up"}};
  double alone = 0;
  for (const int ranks : sizes) {
    if (config.lanes != "ranks" && std::stoll(config.lanes) < ranks) {
      config.lanes = std::to_string(ranks);
    }
    const TrainingShape training = training_shape(config, work, ranks, device.memory > 0);
    const Operations operations =
        operations_per_sample(work.model, work.layout, training, work.mean_tokens);
    const TaskWork task = task_work(config, work, ranks);
    const TaskForecast time = forecast(
        task, operations, parameter_counts(work.model, work.layout, training), device, ranks);
    const double stream = time.seconds() * static_cast<double>(work.tasks);
    if (ranks == 1) alone = stream;
    const double step = time.step_compute + time.step_exchange;
    rows.push_back({grouped(ranks), grouped(task.lanes), grouped(time.idle_ranks),
                    fixed(1e3 * step, 1) + " ms", fixed(100 * time.step_exchange / step, 0) + " %",
                    duration(time.training), duration(time.fisher), duration(time.seconds()),
                    duration(stream), fixed(alone / stream, 1)});
  }
  return rows;
}

std::string device_line(const Device& device, const RunConfig& config, double peak) {
  const double rate = config.precision == "bf16" ? device.bf16 : device.fp32;
  std::string line =
      concat("One ", device.name, " a rank: ", fixed(rate / 1e12, 2), " TFLOP/s in ",
             config.precision, device.memory > 0 ? " (the vendor's figure)" : " (measured now)",
             ", of which a step is taken to reach ", fixed(100 * device.share, 0), " %.");
  if (device.memory == 0) return line;
  const bool fits = peak < device.memory;
  return line + concat(" Its ", fixed(device.memory / 1e9, 0), " GB ",
                       fits ? "hold this."
                            : "do not hold this: try --activation-checkpointing, "
                              "--precision bf16, more lanes or a smaller batch.");
}

}  // namespace

std::string dry_run(const RunConfig& config, int world_size) {
  const Inputs inputs = open_inputs(config);
  Rows rows{
      {"pack", config.pack + " (content " + short_hash(inputs.pack.content_sha256()) + ")"},
      {"backbone", config.backbone + " (SHA-256 " + short_hash(inputs.backbone_sha256) + ")"}};
  for (auto& row : cost_rows(config, workload_of(config, inputs), world_size, false)) {
    rows.push_back(std::move(row));
  }
  std::ostringstream out;
  out << "Would train " << inputs.tasks.size() << " tasks over " << world_size << " ranks and "
      << lanes_of(config, world_size).count << " lanes, into " << config.out
      << "; nothing was run.\n\n"
      << text_table(rows, "ll") << "\n";
  rows = {{"task", "classes", "train", "test", ""}};
  for (const Task& task : inputs.tasks) {
    rows.push_back({task.name, grouped(std::ssize(task.classes)), grouped(task.train.size()),
                    grouped(task.test.size()), wrap(listed(task.classes), 100, 36, 36)});
  }
  out << text_table(rows, "lrrrl");
  return out.str();
}

std::string plan(std::span<const std::string> arguments) {
  const PlanRequest request = parse_request(arguments);
  const bool sketched = !request.sketch.shape.empty();
  const RunConfig config =
      sketched ? parse_settings(request.settings) : parse_run_config(request.settings);
  const Workload work =
      sketched ? workload_of(config, request.sketch) : workload_of(config, open_inputs(config));
  const Device device = device_of(request, config, work.model.width);
  const bool on_device = device.memory > 0;
  const double peak = memory_estimate(work.model, work.layout,
                                      training_shape(config, work, request.world_size, on_device))
                          .peak();
  return concat(work.tasks, " tasks of ", sketched ? request.sketch.shape : config.backbone,
                " over ", request.world_size, " ranks and ",
                lanes_of(config, request.world_size).count, " lanes; nothing was run.\n\n",
                text_table(cost_rows(config, work, request.world_size, on_device), "ll"), "\n",
                device_line(device, config, peak), "\nTimes are forecasts, and the network's ",
                "bandwidth is assumed (docs/cluster.md). Lanes are raised to the ranks where they ",
                "are fewer.\n\n",
                text_table(scaling_rows(config, work, device, request.world_size), "rrrrrrrrrr"));
}

std::string plan_help() {
  PlanRequest request;
  std::ostringstream out;
  out << "palimpsest plan [settings of palimpsest train] [--world-size N] [--on DEVICE]\n"
         "What a run needs before it runs: parameters, memory by part, steps, work, and the time "
         "of a\ntask over 1, 8, 64 and 512 ranks. The files are opened and checked, nothing is "
         "trained.\n\n"
         "  palimpsest plan --config configs/openclipart.cfg --world-size 2\n"
         "  palimpsest plan --shape vit-g/14 --precision bf16 --lanes 64 --world-size 64 --on "
         "h100\n\n"
      << plan_options(request);
  return out.str();
}

}  // namespace palimpsest
