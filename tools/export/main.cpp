// palimpsest export: merged weights as a model or an adapter that other programs open.
#include <filesystem>
#include <optional>
#include <string>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/export/adapter.h"
#include "palimpsest/export/model.h"
#include "palimpsest/format/input_paths.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

const Tool kTool = {
    .name = "palimpsest export",
    .usage =
        R"(Usage: palimpsest export RUN_OR_WEIGHTS --out FOLDER [options]

Exports the merged weights of a run, or of palimpsest merge --out, for other programs: as a
whole model (safetensors) that timm and transformers open, or as one LoRA adapter (peft) for
the backbone that the run started from.
)",
    .more =
        R"(The adapter is the sum of all tasks' adapters, each times what the merges kept of it: exact, of
all their ranks together. Where the merge rule isn't linear in the task vectors there is no such
sum; --rank K then gives the closest adapter of that rank, and prints what it misses.

Example: palimpsest export runs/mine --out exported/adapter --format peft
Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind.
)"};

struct Arguments {
  std::filesystem::path source = {}, out = {}, backbone = {};
  std::string format = "safetensors", classifier = {};
  Dialect dialect = Dialect::kOwn;
  std::optional<std::int64_t> task = {}, rank = {};
  bool optimum = false, force = false;
};

Options options(Arguments& a) {
  return {
      option("out FOLDER", a.out, "the folder to write; made where it is missing"),
      option("format FORMAT", a.format, "safetensors: the whole model (default). peft: an adapter",
             {.choices = {"safetensors", "peft"}}),
      option("dialect NAME", a.dialect,
             "names of the tensors: own, as in the backbone's files (default); for vision "
             "transformers also timm, hf4 or hf5 (transformers 4 or 5)"),
      option("task K", a.task, "after which task of a run, from 1; otherwise the newest",
             {.minimum = 1}),
      option("optimum", a.optimum,
             "theta*, where the training of that task ended, instead of the merged model"),
      option("classifier KIND", a.classifier,
             "which of the run's classifiers answers in a whole model; otherwise its own"),
      option("rank K", a.rank, "peft: the closest adapter of this rank instead of the exact sum",
             {.minimum = 1}),
      option("backbone FOLDER", a.backbone,
             "the pretrained model; otherwise the one that run.json names"),
      option("force", a.force, "write into a folder that has files; those of other names stay")};
}

void check(const Arguments& arguments, const std::vector<std::string>& words) {
  if (words.size() != 1)
    throw UsageError(
        "expected one run folder or merged weights, as in palimpsest export runs/mine --out "
        "FOLDER; see --help");
  if (arguments.out.empty())
    throw UsageError("expected --out FOLDER, where the model is to be written; see --help");
  if (arguments.rank && arguments.format != "peft")
    throw UsageError("--rank is for an adapter: give --format peft with it");
}

std::filesystem::path find_backbone(const Arguments& arguments) {
  if (!arguments.backbone.empty()) return arguments.backbone;
  const std::string recorded = find_inputs(arguments.source)["backbone"];
  if (recorded.empty())
    throw UsageError(
        "--backbone: expected the folder of the pretrained model; no run.json names it");
  if (!std::filesystem::exists(recorded))
    throw InputError(concat(arguments.source.string(), ": ", missing_input("backbone", recorded)));
  return recorded;
}

void check_backbone(const ExportSource& source, const PretrainedWeights& weights,
                    const BackboneConfig& config) {
  const auto check = [&](std::string_view what, const std::string& recorded,
                         const std::string& found) {
    if (recorded.empty() || recorded == found) return;
    throw InputError(concat(weights.path().string(),
                            ": not the backbone that the run was trained on: ", what, ": expected ",
                            recorded, ", found ", found));
  };
  check("SHA-256 of its weights", source.backbone_sha256, weights.sha256());
  check("hash of its shape, by config.json", source.backbone_shape_sha256,
        sha256(describe(config)));
}

int run(const Arguments& arguments) {
  const auto task = arguments.task ? std::optional(*arguments.task - 1) : std::nullopt;
  const ExportSource source =
      open_export_source(arguments.source, task, arguments.optimum, arguments.classifier);
  const std::filesystem::path folder = find_backbone(arguments);
  const PretrainedWeights weights(folder);
  const BackboneConfig config = read_backbone_config(folder, weights);
  check_backbone(source, weights, config);
  for (const std::string& remark : {weights.remark(), remark_on_config(folder)}) {
    if (!remark.empty()) std::fprintf(stderr, "palimpsest export: %s\n", remark.c_str());
  }
  std::filesystem::create_directories(arguments.out);
  if (std::filesystem::equivalent(arguments.out, folder))
    throw UsageError("--out is the backbone's own folder; nothing may be written there");
  if (!arguments.force && !std::filesystem::is_empty(arguments.out)) {
    const auto first = std::filesystem::directory_iterator(arguments.out)->path().filename();
    throw UsageError(concat("--out ", arguments.out.string(),
                            ": expected a new or empty folder, found ", first.string(),
                            "; --force writes into it"));
  }
  std::string text = concat(source.description, "\n");
  if (arguments.format == "safetensors") {
    const std::string heads =
        export_model(source, config, weights, arguments.dialect, folder, arguments.out);
    text += concat("model in ", arguments.out.string(), "; heads: ", heads, "\n");
  } else {
    const AdapterReport report = export_adapter(source, config, weights, arguments.dialect,
                                                folder.string(), arguments.rank, arguments.out);
    text += concat("adapter in ", arguments.out.string(), ", rank ", report.rank, ", ");
    text += report.residual ? concat("residual ", *report.residual, " of the difference's norm\n")
                            : std::string("exact\n");
    if (report.is_for_transformers_4)
      text += "its modules have the names of transformers 4; for transformers 5: --dialect hf5\n";
  }
  print(text);
  return 0;
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  using namespace palimpsest;
  Arguments arguments;
  return run_tool(kTool, count, values, options(arguments), [&](const auto& words) {
    check(arguments, words);
    arguments.source = words.front();
    return run(arguments);
  });
}
