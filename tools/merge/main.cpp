// palimpsest-merge: merges the tasks of a recorded run again, or adapters of others.
#include <malloc.h>

#include <boost/program_options.hpp>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/text.h"
#include "palimpsest/format/output_file.h"
#include "palimpsest/remerge/audit.h"
#include "palimpsest/remerge/run_merge.h"
#include "palimpsest/report/merge_views.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

namespace po = boost::program_options;

constexpr int kThreads = 2;

constexpr std::string_view kHelp =
    R"(Usage: palimpsest-merge RUN [--rule RULE[:key=value,...]] [--tasks 1,3,5 | --remove-task K]
                        [--out merged.h5] [--json]
       palimpsest-merge RUN --audit [--json]
       palimpsest-merge --adapters FOLDER... --rule RULE[:key=value,...]
                        [--curvature FILE...] [--out merged.h5] [--json]

Merges what was trained before, in seconds and without the data. Without --out nothing is written:
the merges are printed, one line a task.

A RUN is a run folder. What it recorded of a task is where its training ended. A new merge goes
from its own model so far towards there, under the arithmetic of training:
  --rule RULE        another merge rule than the run's own. Under the run's own rule every merged
                     model must have the recorded hash, bit for bit
  --tasks 1,3,5      only these, in ascending order; tasks count from 1
  --remove-task K    all but task K: its share is subtracted from the curvature memory, the others
                     are merged again, its head is dropped (a head that domains share stays)
  --audit            by how much each merge raised the loss of each task before it: predicted from
                     the Fishers on training samples, and measured on test samples where the run's
                     evaluations have losses
Another rule or a subset is post hoc, and the output says so: later tasks were trained on top of the
run's own merges. A rule that needs what the records lack is refused.

ADAPTERS are LoRA adapters that PEFT saved (adapter_config.json, adapter_model.safetensors), of one
base model, each trained from that base. Plain LoRA on linear layers only. Rules that need a
curvature take it from a file beside each adapter, in the same order:
  --curvature FILE...    see docs/merge-laboratory.md for how to write one

  --out FILE         writes the merged weights, as differences to the base, with heads and sources
  --json             one JSON object instead of tables
  --help             this text, and all rules with their keys

Example: palimpsest-merge runs/mine --rule ema:rate=0.5 --out merged.h5
Exit codes: 0 done, 1 failed, 2 usage, or a rule that needs what isn't there, 3 a file is missing,
damaged, of another kind, or doesn't fit the others; also when a merge done again has another hash
than the recorded one.

Rules:
)";

using Names = std::vector<std::string>;

struct Arguments {
  std::string run, rule, tasks, out;
  std::string removed;
  Names adapters, curvature;
  bool audit = false, json = false, help = false;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  po::options_description options;
  options.add_options()("help,h", po::bool_switch(&arguments.help))(
      "run", po::value(&arguments.run))("rule", po::value(&arguments.rule))(
      "tasks", po::value(&arguments.tasks))("remove-task", po::value(&arguments.removed))(
      "out", po::value(&arguments.out))("adapters", po::value(&arguments.adapters)->multitoken())(
      "curvature", po::value(&arguments.curvature)->multitoken())(
      "audit", po::bool_switch(&arguments.audit))("json", po::bool_switch(&arguments.json));
  po::positional_options_description positional;
  positional.add("run", 1);
  try {
    po::variables_map found;
    po::store(
        po::command_line_parser(count, values)
            .options(options)
            .positional(positional)
            .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
            .run(),
        found);
    po::notify(found);
    for (const char* const name : {"rule", "tasks", "remove-task", "out"}) {
      if (!found.contains(name)) continue;
      const auto& value = found[name].as<std::string>();
      if (value.empty() || value.starts_with("--")) {
        throw UsageError(concat("--", name, ": expected a value, found ",
                                value.empty() ? "an empty one" : value));
      }
    }
  } catch (const po::error& error) {
    throw UsageError(concat(error.what(), "; see --help"));
  }
  return arguments;
}

// From 0, of a number that people count from 1.
std::int64_t task_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) {
    throw UsageError(concat("'", text, "': expected the number of a task, from 1"));
  }
  return number - 1;
}

std::vector<std::int64_t> task_numbers(std::string_view text) {
  std::vector<std::int64_t> numbers;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    numbers.push_back(task_number(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return numbers;
}

void check(const Arguments& arguments) {
  const auto refuse = [](const auto&... reason) {
    throw UsageError(concat(reason..., "; see --help"));
  };
  if (arguments.run.empty() == arguments.adapters.empty()) {
    refuse("expected either a run folder or --adapters");
  }
  const bool chooses = !arguments.tasks.empty() || !arguments.removed.empty();
  if (!arguments.adapters.empty()) {
    if (arguments.rule.empty()) refuse("adapters have no merge rule themselves: expected --rule");
    if (chooses || arguments.audit) {
      refuse("--tasks, --remove-task and --audit are for runs");
    }
    return;
  }
  if (!arguments.curvature.empty()) {
    refuse("--curvature is for --adapters; a run's records have their own");
  }
  if (!arguments.tasks.empty() && !arguments.removed.empty()) {
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

std::vector<std::filesystem::path> paths(const Names& names) {
  return {names.begin(), names.end()};
}

View merge_adapters(const Arguments& arguments) {
  const RemergeResult result = remerge_adapters({.adapters = paths(arguments.adapters),
                                                 .curvature = paths(arguments.curvature),
                                                 .rule = arguments.rule,
                                                 .threads = kThreads});
  if (!arguments.out.empty()) write_merged_record(arguments.out, result.record);
  return view_of_merge(result, concat(arguments.adapters.size(), " adapters"), arguments.out);
}

View merge_run(const Arguments& arguments) {
  if (arguments.audit) return view_of_audit(audit_of_run(arguments.run, kThreads), arguments.run);
  RunRequest request{.run = arguments.run,
                     .rule = arguments.rule,
                     .tasks = task_numbers(arguments.tasks),
                     .threads = kThreads};
  if (!arguments.removed.empty()) request.removed = task_number(arguments.removed);
  RemergeResult result = remerge_run(request);
  if (!arguments.out.empty()) {
    add_heads(result, request);
    write_merged_record(arguments.out, result.record);
  }
  return view_of_merge(result, arguments.run, arguments.out);
}

int merge(const Arguments& arguments) {
  if (arguments.help) {
    print(concat(kHelp, kinds_help(merge_rules(), 98)));
    return 0;
  }
  check(arguments);
  if (!arguments.out.empty()) check_output(arguments.out, "merged");
  keep_freed_memory();
  const View view = arguments.adapters.empty() ? merge_run(arguments) : merge_adapters(arguments);
  print(arguments.json ? view.json : view.text);
  return 0;
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  return palimpsest::run_tool("palimpsest-merge", count, values, [](int n, char** words) {
    return palimpsest::merge(palimpsest::parse(n, words));
  });
}
