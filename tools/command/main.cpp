// palimpsest: one command. It has no work itself: each verb is another program, whose place this
// process takes, so that looking at a run doesn't load LibTorch.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"
#include "palimpsest/core/version.h"
#include "support/programs.h"

namespace palimpsest {
namespace {

// What runs a verb: the program that trains, which takes the verb; one of a verb alone; the same in
// Python.
enum class Runner { kTrainer, kTool, kScript };

struct Verb {
  std::string_view name, group, what;
  Runner runner;
};

constexpr std::string_view kTrain = "Train", kLook = "Look at runs", kUse = "Use what was learned",
                           kPrepare = "Prepare";
constexpr std::array kVerbs = {
    Verb{"train", kTrain, "train on a stream of tasks; under mpirun on all ranks",
         Runner::kTrainer},
    Verb{"plan", kPrepare, "forecast memory and time of a run on 1 to 512 ranks", Runner::kTrainer},
    Verb{"doctor", kPrepare, "check machine, MPI, GPUs and run folder before a run",
         Runner::kTrainer},
    Verb{"pack", kPrepare, "turn texts, images or chats into a pack, and its classes into tasks",
         Runner::kScript},
    Verb{"inspect", kLook, "tables of a run, also while it runs", Runner::kTool},
    Verb{"report", kLook, "write the web page of a run; mean and spread of several runs",
         Runner::kScript},
    Verb{"diff", kLook, "name the first difference between two runs or files", Runner::kTool},
    Verb{"verify", kLook, "check hashes and schemas of a run, and recompute every merge",
         Runner::kTool},
    Verb{"eval", kUse, "accuracy and loss of saved weights", Runner::kTrainer},
    Verb{"predict", kUse, "a class for every sample of a pack", Runner::kTrainer},
    Verb{"generate", kUse, "let a decoder answer a prompt, or all prompts of a pack",
         Runner::kTrainer},
    Verb{"merge", kUse, "merge recorded tasks or adapters by any rule, and compare rules",
         Runner::kTool},
    Verb{"export", kUse, "write a model for transformers or timm, or an adapter for PEFT",
         Runner::kTool},
};

std::string overview() {
  std::string text =
      "palimpsest trains a pretrained transformer on one task after another, and merges after "
      "each.\n\nUsage: palimpsest VERB ...\n";
  for (const std::string_view group : {kPrepare, kTrain, kLook, kUse}) {
    text += concat('\n', group, ":\n");
    for (const Verb& verb : kVerbs) {
      if (verb.group == group)
        text += concat("  ", verb.name, std::string(10 - verb.name.size(), ' '), verb.what, '\n');
    }
  }
  return text +
         "\nOf one verb: palimpsest help VERB. This version: palimpsest --version\n\n"
         "Example: palimpsest train --config configs/quickstart.cfg --out runs/mine\n"
         "Exit codes: 0 done, 1 failed, 2 usage, 3 bad input file, 4 training diverged, 5 a rank\n"
         "was lost, 85 stopped on request with its state saved, 130, 143 and 129 stopped by "
         "SIGINT,\nSIGTERM (or SIGUSR1) and SIGHUP with nothing to save.\n";
}

// What other programs call verbs.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kOtherNames = {{
    {"check", "verify"},
    {"compare", "diff"},
    {"convert", "export"},
    {"dashboard", "report"},
    {"evaluate", "eval"},
    {"finetune", "train"},
    {"fit", "train"},
    {"infer", "predict"},
    {"inference", "predict"},
    {"list", "inspect"},
    {"resume", "train --resume auto"},
    {"run", "train"},
    {"show", "inspect"},
    {"status", "inspect"},
    {"sweep", "eval --sweep"},
    {"test", "eval"},
    {"tune", "train"},
    {"validate", "eval"},
}};

const Verb& find_verb(const std::string& name) {
  const auto found = std::ranges::find(kVerbs, name, &Verb::name);
  if (found != kVerbs.end()) return *found;
  for (const auto& [other, here] : kOtherNames) {
    if (name == other)
      throw UsageError(concat("unknown verb '", name, "'; here: palimpsest ", here));
  }
  if (name.starts_with('-'))
    throw UsageError(concat("expected a verb before '", name,
                            "', as in palimpsest train; palimpsest help lists them"));
  std::vector<std::string_view> names = {"help"};
  for (const Verb& verb : kVerbs) names.push_back(verb.name);
  throw UsageError(concat("unknown verb '", name, "'; ",
                          name_hint(name, names, "palimpsest help lists all of them")));
}

// A decoder writes after texts by the script, which makes a pack of them.
bool has_prompt(const std::vector<std::string>& arguments) {
  const auto asks = [](const std::string& word) { return word == "--help" || word == "-h"; };
  return std::ranges::none_of(arguments, asks) &&
         std::ranges::any_of(arguments, [](const std::string& word) {
           return word.substr(0, word.find('=')) == "--prompt" ||
                  word.substr(0, word.find('=')) == "--prompts";
         });
}

// That of the environment that the programs were built with, where no other is active; else the
// script's first line says.
std::string python() {
  const bool is_free = std::getenv("VIRTUAL_ENV") == nullptr;
  return is_free && ::access(PALIMPSEST_PYTHON, X_OK) == 0 ? PALIMPSEST_PYTHON : "";
}

int run(const std::string& own_name, std::vector<std::string> arguments) {
  std::string name = arguments.empty() ? "help" : arguments.front();
  if (!arguments.empty()) arguments.erase(arguments.begin());
  if (name == "--version" || name == "version") {
    std::cout << writer() << '\n';
    return 0;
  }
  if (name == "--list-options") {  // what tools/completion/ reads
    std::cout << "palimpsest|--help|||what there is\npalimpsest|--version|||which one\n"
              << "palimpsest|help|||what a verb does\n";
    for (const std::string_view command : {"palimpsest", "palimpsest help"})
      for (const Verb& verb : kVerbs)
        std::cout << command << '|' << verb.name << "|||" << verb.what << '\n';
    return 0;
  }
  if (name == "help" || name == "--help" || name == "-h") {
    if (arguments.empty() || arguments.front() == "--help" || arguments.front() == "help") {
      std::cout << overview();
      return 0;
    }
    // palimpsest help train lr: palimpsest train --help lr.
    name = arguments.front();
    arguments.front() = "--help";
  }
  const Verb& verb = find_verb(name);
  const bool is_script =
      verb.runner == Runner::kScript || (name == "generate" && has_prompt(arguments));
  const std::filesystem::path program = find_program(
      concat("palimpsest-", verb.runner == Runner::kTrainer && !is_script ? "train" : name), name);
  std::vector<std::string> words;
  const std::string interpreter = is_script ? python() : "";
  if (is_script) {
    if (!interpreter.empty()) words.push_back(interpreter);
    words.push_back(program.string());
  } else if (verb.runner == Runner::kTrainer) {
    words = {own_name, name};
  } else {
    words = {program.string()};
  }
  words.insert(words.end(), arguments.begin(), arguments.end());
  become(interpreter.empty() ? program.string() : interpreter, std::move(words));
}

}  // namespace
}  // namespace palimpsest

int main(int argc, char** argv) {
  using namespace palimpsest;
  try {
    return run(argc > 0 ? argv[0] : "palimpsest", {argv + std::min(argc, 1), argv + argc});
  } catch (const Error& error) {
    if (is_first_rank()) std::cerr << "palimpsest: " << error.what() << '\n';
    return static_cast<int>(error.code());
  }
}
