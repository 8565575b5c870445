// palimpsest merge: merges the tasks of a recorded run again, or adapters of others.
#include <malloc.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/output_file.h"
#include "palimpsest/kinds/kind_settings.h"
#include "palimpsest/remerge/run_merge.h"
#include "palimpsest/report/views.h"
#include "support/programs.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

constexpr int kThreads = 2;

constexpr std::string_view kUsage =
    R"(Usage: palimpsest merge RUN [--rule RULE[:key=value,...]] [--tasks 1,3,5 | --remove-task K]
                        [--out merged.h5] [--json]
       palimpsest merge RUN --rule RULE[:key=value,...],... --eval [--json]
       palimpsest merge RUN --audit [--json]
       palimpsest merge --adapters FOLDER... --rule RULE[:key=value,...]
                        [--curvature FILE...] [--out merged.h5] [--json]

Merges what was trained before, in seconds and without the data. It prints one line a task. Only --out
writes a file.

A RUN is a run folder. The run recorded where the training of each task ended. A new merge starts from
its own previous model and moves towards that point, with the same rounding as training. Under the
run's own rule each merged model must have the recorded hash. Another rule, or a subset of the tasks, is
post hoc, and the output says so: later tasks were trained on the run's own merges. A rule that needs
what the records don't have is rejected.

ADAPTERS are LoRA adapters that PEFT saved (adapter_config.json, adapter_model.safetensors), of one
base model, each trained from that base. Plain LoRA on linear layers only.
)";

constexpr std::string_view kMore =
    R"(Example: palimpsest merge runs/mine --rule ema:rate=0.5 --out merged.h5
Exit codes: 0 done, 1 failed, 2 usage, or a rule that needs what isn't there, 3 a file is missing,
damaged, of another kind, or doesn't fit the others; also when a merge done again has another hash
than the recorded one.

Rules:
)";

struct Arguments {
  std::filesystem::path run, out;
  std::string rule;
  std::vector<std::int64_t> tasks;      // from 1
  std::optional<std::int64_t> removed;  // from 1
  std::vector<std::filesystem::path> adapters, curvature;
  bool evaluates = false, audit = false, json = false;
};

Options options(Arguments& a) {
  return {
      option("rule RULE", a.rule, "another merge rule than the run's own",
             {.kinds = &merge_rules(), .takes_several = true}),
      option("eval", a.evaluates,
             "print accuracy on the run's test samples beside alpha, for the run's own rule and "
             "each of --rule; palimpsest eval --rule has more options"),
      option("tasks 1,3,5", a.tasks, "only these, in ascending order; tasks count from 1",
             {.minimum = 1}),
      option("remove-task K", a.removed,
             "merge all tasks but K: subtract its share from the curvature memory and drop its "
             "head (a head that domains share stays)",
             {.minimum = 1}),
      option(
          "audit", a.audit,
          "how much each merge raised the loss of each earlier task: predicted from the Fishers on "
          "training samples, and measured on test samples if the run's evaluations have losses"),
      option("adapters FOLDER...", a.adapters, "LoRA adapters instead of a run"),
      option("curvature FILE...", a.curvature,
             "for rules that need one: a file beside each adapter, in the same order; see "
             "docs/merge-laboratory.md for how to write it"),
      option("out FILE", a.out,
             "writes the merged weights, as differences to the base, with heads and sources"),
      option("json", a.json, "one JSON object instead of tables")};
}

void check(const Arguments& arguments) {
  const auto refuse = [](const auto&... reason) {
    throw UsageError(concat(reason..., "; see --help"));
  };
  if (arguments.run.empty() == arguments.adapters.empty()) {
    refuse("expected either a run folder or --adapters");
  }
  const bool chooses = !arguments.tasks.empty() || arguments.removed.has_value();
  if (!arguments.adapters.empty()) {
    if (arguments.rule.empty()) refuse("adapters have no merge rule themselves: expected --rule");
    if (chooses || arguments.audit || arguments.evaluates) {
      refuse("--tasks, --remove-task, --audit and --eval are for runs");
    }
    return;
  }
  if (kinds_in(arguments.rule).size() > 1 && !arguments.evaluates)
    refuse("expected one rule, found several: --eval compares them");
  if (arguments.evaluates &&
      (chooses || arguments.audit || !arguments.out.empty() || arguments.rule.empty()))
    refuse(
        "--eval compares rules over all tasks of a run: it takes --rule and --json. Weights that "
        "--out wrote are evaluated by palimpsest eval --weights FILE");
  if (!arguments.curvature.empty()) {
    refuse("--curvature is for --adapters; a run's records have their own");
  }
  if (!arguments.tasks.empty() && arguments.removed) {
    refuse("expected --tasks or --remove-task, found both");
  }
  if (arguments.audit && (chooses || !arguments.rule.empty() || !arguments.out.empty())) {
    refuse("--audit is of the run's own merges: it takes no --rule, --tasks, --remove-task, --out");
  }
}

// Every task needs the same few large vectors as the one before. Given back to the system in
// between, they come back as pages to be cleared: a third of the time at the size of ViT-B/16.
void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int kNever = 2'000'000'000;
  mallopt(M_MMAP_THRESHOLD, kNever);
  mallopt(M_TRIM_THRESHOLD, kNever);
  mallopt(M_ARENA_MAX, 1);
#endif
}

View merge_adapters(const Arguments& arguments) {
  const RemergeResult result = remerge_adapters({.adapters = arguments.adapters,
                                                 .curvature = arguments.curvature,
                                                 .rule = arguments.rule,
                                                 .threads = kThreads});
  if (!arguments.out.empty()) write_merged_record(arguments.out, result.record);
  return merge_view(result, concat(arguments.adapters.size(), " adapters"), arguments.out.string());
}

View merge_run(const Arguments& arguments) {
  if (arguments.audit)
    return audit_view(audit_run(arguments.run, kThreads), arguments.run.string());
  RunRequest request{
      .run = arguments.run, .rule = arguments.rule, .tasks = arguments.tasks, .threads = kThreads};
  for (std::int64_t& task : request.tasks) --task;
  if (arguments.removed) request.removed = *arguments.removed - 1;
  RemergeResult result = remerge_run(request);
  if (!arguments.out.empty()) {
    add_heads(result, request);
    write_merged_record(arguments.out, result.record);
  }
  return merge_view(result, arguments.run.string(), arguments.out.string());
}

// The program that knows backbones and packs.
[[noreturn]] void evaluate(const Arguments& arguments) {
  std::vector<std::string> words = {"palimpsest",           "eval",   "--weights",
                                    arguments.run.string(), "--rule", arguments.rule};
  if (arguments.json) words.emplace_back("--json");
  become(find_program("palimpsest-train", "merge --eval"), std::move(words));
}

int merge(const Arguments& arguments) {
  check(arguments);
  if (arguments.evaluates) evaluate(arguments);
  if (!arguments.out.empty()) check_output(arguments.out, "merged");
  keep_freed_memory();
  const View view = arguments.adapters.empty() ? merge_run(arguments) : merge_adapters(arguments);
  print(arguments.json ? view.json : view.text);
  return 0;
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  using namespace palimpsest;
  Arguments arguments;
  const Tool tool = {.name = "palimpsest merge",
                     .usage = std::string(kUsage),
                     .more = concat(kMore, kinds_help(merge_rules(), 98))};
  return run_tool(tool, count, values, options(arguments), [&](const auto& words) {
    if (words.size() > 1) throw UsageError("expected one run folder, found more; see --help");
    if (!words.empty()) arguments.run = words.front();
    return merge(arguments);
  });
}
