// palimpsest: parse, wire the listeners, run.
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <new>
#include <optional>

#include "commands.h"
#include "palimpsest/comm/guarded_run.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/continual/run.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/core/version.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/report/json_lines.h"
#include "palimpsest/report/tensorboard.h"
#include "palimpsest/report/terminal.h"
#include "palimpsest/report/views.h"
#include "profile.h"

namespace palimpsest {
namespace {

constexpr std::string_view kHelp =
    "palimpsest: Perturb-and-Merge training of a pretrained transformer on one task after "
    "another\n\n"
    "  palimpsest train --config FILE [--key value ...]   run a stream of tasks; under mpirun: "
    "over its ranks\n"
    "  palimpsest train --help                            every setting, its default and its "
    "range\n"
    "  palimpsest train ... --print-config                the resolved settings, as a "
    "configuration file\n"
    "  palimpsest train ... --dry-run                     open all that the run would, and say "
    "what it costs\n"
    "  palimpsest eval --weights RUN|FILE [settings]      accuracy and loss of saved weights\n"
    "  palimpsest eval --sweep RUN [settings]             the newest merge at many values of "
    "alpha\n"
    "  palimpsest predict --weights RUN|FILE --pack PACK  a class for every sample of a pack\n"
    "  palimpsest generate --weights RUN|FILE --out FILE  what a decoder writes after the prompts "
    "of "
    "a pack\n"
    "  palimpsest plan [settings] [--world-size 1,8,64]   memory, time over many ranks, and where "
    "it stops scaling\n"
    "  palimpsest plan --help                             planning without any file, and for GPUs\n"
    "  palimpsest doctor [settings] [--json]              whether machine, launch and run folder "
    "fit a run\n"
    "  palimpsest --version\n\n"
    "Example: palimpsest train --config configs/debian-sections.cfg --out runs/mine\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 bad input file, 4 training diverged, 5 a rank was "
    "lost,\n"
    "85 stopped on request with its state saved, 130, 143 and 129 stopped by SIGINT, SIGTERM (or "
    "SIGUSR1)\nand SIGHUP with nothing to save.\n";

int train(const RunConfig& config, HostGroup& group, Watchdog& watchdog) {
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  const bool is_task_given = config.scenario == Scenario::kTaskIncremental;
  RunEvents events;
  int width = 0;  // of the terminal, on rank 0
  std::optional<TerminalReport> terminal;
  std::optional<JsonLinesReport> log;
  std::optional<TensorBoardReport> tensorboard;
  std::optional<Profile> profile;
  if (config.profile) profile.emplace(group, watchdog);
  if (group.rank() == 0) {
    TerminalSettings settings = terminal_settings(stdout, config.progress);
    settings.task_given = is_task_given;
    width = settings.width;
    terminal.emplace(stdout, settings);
    events.add(*terminal);
  }
  const auto open_logs = [&](const RunFolder& folder, const StreamState& state) {
    log.emplace(folder.log_file());
    events.add(*log);
    if (config.tensorboard) {
      tensorboard.emplace(folder.events_file(), state.accuracy, state.others, is_task_given);
      events.add(*tensorboard);
    }
    if (profile) profile->open_file(config.out);
  };
  const auto before_task = [&](const Task& task) {
    if (profile) profile->begin_task(task.index);
  };
  const RunResult result = run_stream(config, group, watchdog, events, open_logs, before_task);
  const std::string phases = profile ? profile->finish() : "";
  if (group.rank() == 0) {
    log->close();
    if (tensorboard) tensorboard->close();
    std::cout << '\n'
              << summary_table(result.accuracy,
                               make_merge_rule(config.merge)->changes_trained()
                                   ? result.alphas
                                   : std::vector<double>{},
                               width, is_task_given)
              << other_summaries(result.others, width, is_task_given)
              << (phases.empty() ? "" : "\n") << phases;
    if (!result.stopped) {
      std::cout << "\nThe run is in " << config.out << ": palimpsest-inspect " << config.out
                << " shows it, palimpsest-report " << config.out << " draws it.\n";
    }
    std::cout << std::flush;
    if (!std::cout) throw Error("the final table could not be written to the standard output");
  }
  if (result.stopped && group.rank() == 0) {
    std::cerr << "palimpsest: stopped on request with "
              << counted(std::ssize(result.alphas), "task") << " done (" << result.stopped_at
              << "); the same command with --resume auto continues from there\n";
  }
  return static_cast<int>(result.stopped ? ExitCode::kRequeue : ExitCode::kDone);
}

std::string out_of_memory(std::string_view where) {
  return concat(
      "out of memory on ", where,
      ". What was saved is whole. A lower --batch or more --lanes make the parts of a step "
      "smaller, --activation-checkpointing and --precision bf16 what is kept of them; "
      "--evaluation-batch counts in evaluation. palimpsest plan shows what fits");
}

// What LibTorch or the allocator throws, with a message that says what to do.
template <typename Work>
int with_clear_errors(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw Error(out_of_memory("the host"));
  } catch (const c10::OutOfMemoryError& error) {
    throw Error(concat(out_of_memory("the GPU"), " (", error.what_without_backtrace(), ")"));
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    const bool no_memory = what.find("can't allocate memory") != std::string::npos;
    throw Error(no_memory ? concat(out_of_memory("the host"), " (", what, ")")
                          : concat("LibTorch: ", what));
  }
}

// Ends in order where a verb that saves nothing was asked to stop.
template <typename Work>
int unless_stopped(HostGroup& group, Watchdog& watchdog, const Work& work) {
  try {
    return work();
  } catch (const Stopped& stopped) {
    ignore_stop_requests();
    if (group.rank() == 0) {
      std::cerr << "palimpsest: stopped by " << signal_name(stopped.signal) << " ("
                << watchdog.position() << "); nothing was written\n";
    }
    watchdog.end("stopped");
    return signal_exit_code(stopped.signal);
  }
}

std::string train_help() { return config_help(all_settings()); }

Options train_options(bool& prints_config) {
  return {option("print-config", prints_config, "the resolved settings")};
}

std::string train_completion() {
  bool prints_config = false;
  return completion_lines("palimpsest train", train_options(prints_config));
}

struct Verb {
  std::string_view name, what;
  std::string (*help)();
  std::string (*completion)();  // lines for its own options
};

constexpr Verb kVerbs[] = {
    {"train", "run a stream of tasks", train_help, train_completion},
    {"eval", "accuracy and loss of saved weights", eval_help, eval_completion},
    {"predict", "a class for every sample of a pack", predict_help, predict_completion},
    {"generate", "what a decoder writes after the prompts of a pack", generate_help,
     generate_completion},
    {"plan", "memory, time over many ranks, and where it stops scaling", plan_help,
     plan_completion},
    {"doctor", "whether machine, launch and run folder fit a run", doctor_help, doctor_completion}};

// What tools/completion/ reads: the verbs, their options, the settings that they take.
std::string all_completions() {
  std::string text = "palimpsest|--help|||what there is\npalimpsest|--version|||which one\n";
  for (const Verb& verb : kVerbs) {
    const std::string command = concat("palimpsest ", verb.name);
    const std::string own = verb.completion();
    text += concat("palimpsest|", verb.name, "|||", verb.what, "\n", own, command,
                   "|--config|path||a file of lines 'name = value'\n");
    for (const Key& key : all_settings().keys) {
      const bool is_own = own.find(concat("|--", key.name, "|")) != own.npos;
      if (is_taken_by(key, verb.name) && !is_own)
        text += completion_line(command, key, key.type == Type::kText);  // no setting is free text
    }
  }
  return text;
}

int run(std::vector<std::string> arguments) {
  const std::string verb = arguments.empty() ? "--help" : arguments.front();
  // A request may come while MPI starts.
  listen_for_stop_requests(verb == "train" ? OnStop::kSave : OnStop::kEnd);
  if (!arguments.empty()) arguments.erase(arguments.begin());
  if (verb == "--help" || verb == "help" || verb == "-h") {
    std::cout << kHelp;
    return 0;
  }
  if (verb == "--version") {
    std::cout << writer() << '\n';
    return 0;
  }
  if (verb == "--list-options") {
    std::cout << all_completions();
    return 0;
  }
  const auto known = std::ranges::find(kVerbs, verb, &Verb::name);
  if (std::erase(arguments, "--help") + std::erase(arguments, "-h") > 0 &&
      known != std::end(kVerbs)) {
    std::cout << known->help();
    return 0;
  }
  return run_guarded([&](HostGroup& group, Watchdog& watchdog) {
    const auto show = [&](const std::string& text) {
      if (group.rank() == 0) std::cout << text;
      return static_cast<int>(ExitCode::kDone);
    };
    const auto clearly = [&](const auto& work) {
      return unless_stopped(group, watchdog, [&] { return with_clear_errors(work); });
    };
    if (verb == "plan") return clearly([&] { return show(plan(arguments, group, watchdog)); });
    if (verb == "doctor") return doctor(arguments, group, watchdog);
    if (verb == "eval") return clearly([&] { return eval(arguments, group, watchdog); });
    if (verb == "generate") return clearly([&] { return generate(arguments, group, watchdog); });
    if (verb == "predict") return clearly([&] { return predict(arguments, group, watchdog); });
    if (verb != "train") {
      throw UsageError(
          concat("'", verb,
                 "' is not something palimpsest does; try palimpsest train, or palimpsest --help"));
    }
    bool prints_config = false;
    const std::vector<std::string> settings = take_options(train_options(prints_config), arguments);
    std::vector<std::string> left_out;
    const RunConfig config =
        parse_run_config(all_settings(), settings, "train", prints_config ? &left_out : nullptr);
    if (prints_config) {
      for (const std::string& line : left_out)
        if (group.rank() == 0) std::cerr << "palimpsest: " << line << '\n';
      return show(print_config(all_settings(), config));
    }
    if (config.dry_run) {
      listen_for_stop_requests(OnStop::kEnd);
      return clearly([&] { return show(dry_run(config, group, watchdog)); });
    }
    return with_clear_errors([&] { return train(config, group, watchdog); });
  });
}

}  // namespace
}  // namespace palimpsest

int main(int argc, char** argv) { return palimpsest::run({argv + 1, argv + argc}); }
