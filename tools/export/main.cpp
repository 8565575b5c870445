// palimpsest-export: merged weights as a model or an adapter that other programs open.
#include <boost/program_options.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/export/adapter.h"
#include "palimpsest/export/model.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

namespace po = boost::program_options;

constexpr std::string_view kUsage =
    "Usage: palimpsest-export RUN_OR_WEIGHTS --out FOLDER [options]\n\n"
    "Writes what a run has merged, or palimpsest-merge, for other programs: as a whole model\n"
    "(safetensors), which timm and transformers open, or as one LoRA adapter (peft) for the\n"
    "backbone that the run began with.\n\n";

constexpr std::string_view kMore =
    "\nThe adapter is the sum of all tasks' adapters, each times what the merges kept of it: "
    "exact, "
    "of\nall their ranks together. Where the merge rule isn't linear in the task vectors there is "
    "no "
    "such\nsum; --rank K then gives the closest adapter of that rank, and prints what it "
    "misses.\n\n"
    "Example: palimpsest-export runs/mine --out exported/adapter --format peft\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind.\n";

struct Arguments {
  std::filesystem::path source, out, backbone;
  std::string format = "safetensors", dialect = "own";
  std::optional<std::int64_t> task, rank;
  bool optimum = false, help = false;
};

po::options_description options(Arguments& a) {
  po::options_description described("Options", 96, 60);
  // As text: boost takes a path with a blank for two words.
  const auto path = [](std::filesystem::path& value) {
    return po::value<std::string>()->notifier([&value](const std::string& text) { value = text; });
  };
  const auto whole = [](std::optional<std::int64_t>& value) {
    return po::value<std::int64_t>()->notifier([&value](std::int64_t v) { value = v; });
  };
  described.add_options()("out", path(a.out), "the folder to write; made where it is missing")(
      "format", po::value(&a.format), "safetensors: the whole model (default). peft: an adapter")(
      "dialect", po::value(&a.dialect),
      "whose names of tensors: own, as the backbone's files have them (default); of vision "
      "transformers also timm, hf4 or hf5 (transformers 4 or 5)")(
      "task", whole(a.task), "after which task of a run, from 1; otherwise the newest")(
      "optimum", po::bool_switch(&a.optimum),
      "theta*, where the training of that task ended, instead of the merged model")(
      "rank", whole(a.rank), "peft: the closest adapter of this rank instead of the exact sum")(
      "backbone", path(a.backbone),
      "folder of the pretrained model; otherwise the one that run.json names")("help", "this text");
  return described;
}

Arguments parse(int count, char** values, std::string& help) {
  Arguments arguments;
  const po::options_description shown = options(arguments);
  help = concat(kUsage, shown, kMore);
  po::options_description all = shown;
  std::string source;
  all.add_options()("source", po::value(&source));
  po::positional_options_description positional;
  positional.add("source", 1);
  try {
    using namespace po::command_line_style;
    po::variables_map map;
    po::store(po::command_line_parser(count, values)
                  .options(all)
                  .positional(positional)
                  .style(allow_long | long_allow_adjacent | long_allow_next)
                  .run(),
              map);
    if (map.contains("help")) {
      arguments.help = true;
      return arguments;
    }
    po::notify(map);
    arguments.source = source;
  } catch (const po::error& error) {
    throw UsageError(concat(error.what(), "; see --help"));
  }
  if (arguments.source.empty() || arguments.out.empty())
    throw UsageError("expected a run folder or merged weights, and --out FOLDER; see --help");
  if (arguments.format != "safetensors" && arguments.format != "peft")
    throw UsageError(concat("--format ", arguments.format, ": expected safetensors or peft"));
  if (arguments.rank && (arguments.format != "peft" || *arguments.rank < 1))
    throw UsageError("--rank: expected a whole number from 1, with --format peft");
  if (arguments.task && *arguments.task < 1)
    throw UsageError(concat("--task ", *arguments.task, ": tasks count from 1"));
  return arguments;
}

// From the folder's run.json, whose relative paths start at the current folder, as the run's did.
std::filesystem::path backbone_of(const Arguments& arguments) {
  if (!arguments.backbone.empty()) return arguments.backbone;
  const std::filesystem::path run = arguments.source / "run.json";
  if (std::filesystem::exists(run)) {
    const auto json = nlohmann::json::parse(read_file(run), nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("config") && json["config"].contains("backbone"))
      return std::filesystem::path(json["config"]["backbone"].get<std::string>());
  }
  throw UsageError("--backbone: expected the folder of the pretrained model; no run.json names it");
}

void check_backbone(const ExportSource& source, const Checkpoint& weights,
                    const BackboneConfig& config) {
  const auto check = [&](std::string_view what, const std::string& recorded,
                         const std::string& found) {
    if (recorded.empty() || recorded == found) return;
    throw InputError(concat(weights.path().string(),
                            ": another backbone than the one that was "
                            "trained on: ",
                            what, ": expected ", recorded, ", found ", found));
  };
  check("SHA-256 of its weights", source.backbone_sha256, weights.sha256());
  check("hash of its shape, by config.json", source.backbone_shape_sha256,
        sha256(describe(config)));
}

int run(int count, char** values) {
  std::string help;
  const Arguments arguments = parse(count, values, help);
  if (arguments.help) {
    print(help);
    return 0;
  }
  const Dialect dialect = parse_dialect(arguments.dialect);
  const auto task = arguments.task ? std::optional(*arguments.task - 1) : std::nullopt;
  const ExportSource source = open_export_source(arguments.source, task, arguments.optimum);
  const std::filesystem::path folder = backbone_of(arguments);
  const Checkpoint weights(folder);
  const BackboneConfig config = read_backbone_config(folder, weights);
  check_backbone(source, weights, config);
  for (const std::string& remark : {weights.remark(), remark_on_config(folder)}) {
    if (!remark.empty()) std::fprintf(stderr, "palimpsest-export: %s\n", remark.c_str());
  }
  std::filesystem::create_directories(arguments.out);
  if (std::filesystem::equivalent(arguments.out, folder))
    throw UsageError("--out is the backbone's own folder; nothing may be written there");
  std::string text = concat(source.description, "\n");
  if (arguments.format == "safetensors") {
    const std::string heads = export_model(source, config, weights, dialect, folder, arguments.out);
    text += concat("model in ", arguments.out.string(), "; heads: ", heads, "\n");
  } else {
    const AdapterReport report = export_adapter(source, config, weights, dialect, folder.string(),
                                                arguments.rank, arguments.out);
    text += concat("adapter in ", arguments.out.string(), ", rank ", report.rank, ", ");
    text += report.residual ? concat("residual ", *report.residual, " of the difference's norm\n")
                            : std::string("exact\n");
  }
  print(text);
  return 0;
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  return palimpsest::run_tool("palimpsest-export", count, values, palimpsest::run);
}
