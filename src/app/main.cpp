// palimpsest-train: the verbs of palimpsest that need LibTorch or MPI. Parse, wire the listeners,
// run.
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
      std::cout << "\nThe run is in " << config.out << ": palimpsest inspect " << config.out
                << " shows it, palimpsest report " << config.out << " draws it.\n";
    }
    std::cout << std::flush;
    if (!std::cout) throw Error("the final table could not be written to the standard output");
  }
  if (result.stopped && group.rank() == 0) {
    std::cerr << "palimpsest: stopped on request with "
              << counted(std::ssize(result.alphas), "task") << " done (" << result.stopped_at
              << "); the same command with --resume auto resumes there\n";
  }
  return static_cast<int>(result.stopped ? ExitCode::kRequeue : ExitCode::kDone);
}

std::string out_of_memory(std::string_view where) {
  return concat("out of memory on ", where,
                ". The saved checkpoints are complete. To use less memory in a step, lower "
                "--batch, raise --lanes, or set --activation-checkpointing or --precision bf16; in "
                "evaluation, lower --evaluation-batch. palimpsest plan shows what fits");
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

std::string train_help() { return short_config_help(all_settings()); }

// The help of a setting, or of all.
std::string help_on(const std::string& topic) {
  return topic == "all" ? config_help(all_settings()) : setting_help(all_settings(), topic);
}

Options train_options(bool& prints_config) {
  return {option("print-config", prints_config, "the resolved settings")};
}

std::string train_completion() {
  bool prints_config = false;
  return completion_lines("palimpsest train", train_options(prints_config));
}

struct Verb {
  std::string_view name;
  std::string (*help)();
  std::string (*completion)();  // lines for its own options
};

constexpr Verb kVerbs[] = {
    {"train", train_help, train_completion},       {"eval", eval_help, eval_completion},
    {"predict", predict_help, predict_completion}, {"generate", generate_help, generate_completion},
    {"plan", plan_help, plan_completion},          {"doctor", doctor_help, doctor_completion}};

// What tools/completion/ reads: the verbs, their options, the settings that they take.
std::string all_completions() {
  std::string text;
  for (const Verb& verb : kVerbs) {
    const std::string command = concat("palimpsest ", verb.name);
    const std::string own = verb.completion();
    text += concat(own, command, "|--config|path||a file of lines 'name = value'\n");
    for (const Key& key : all_settings().keys) {
      const bool is_own = own.find(concat("|--", key.name, "|")) != own.npos;
      if (is_taken_by(key, verb.name) && !is_own)
        text += completion_line(command, key, is_path(key));
    }
  }
  return text;
}

int run(std::vector<std::string> arguments) {
  const std::string verb = arguments.empty() ? "" : arguments.front();
  // A request may come while MPI starts.
  listen_for_stop_requests(verb == "train" ? OnStop::kSave : OnStop::kEnd);
  if (!arguments.empty()) arguments.erase(arguments.begin());
  if (verb == "--list-options") {
    std::cout << all_completions();
    return 0;
  }
  const auto known = std::ranges::find(kVerbs, verb, &Verb::name);
  const auto asked = std::ranges::find_if(
      arguments, [](const std::string& word) { return word == "--help" || word == "-h"; });
  if (asked != arguments.end() && known != std::end(kVerbs)) {
    const bool has_topic =
        std::next(asked) != arguments.end() && !std::next(asked)->starts_with("-");
    if (!has_topic) {
      std::cout << known->help();
      return 0;
    }
    return run_guarded([&](HostGroup& group, Watchdog&) {
      const std::string text = help_on(*std::next(asked));
      if (group.rank() == 0) std::cout << text;
      return static_cast<int>(ExitCode::kDone);
    });
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
      throw UsageError(concat("palimpsest-train: unknown verb '", verb,
                              "'; start palimpsest, which hands over to this program"));
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
