// Writes shell completion for palimpsest and its tools: the settings and their choices from the
// table of keys, the other options from the tables below. Runs when the project is built.
#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/plan/machine.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

using Words = std::vector<std::string_view>;

enum class Takes { kNothing, kPath, kText };

struct Option {
  std::string_view name, help;
  Takes takes = Takes::kNothing;
  Words words = {};           // that may follow, besides what is typed
  bool may_be_alone = false;  // the value may be left out
  std::string kinds = {};     // "NAME NAME:key= NAME:key=choice ...", where the value is of a kind
};

struct Command {
  std::string_view program, verb, help;
  std::vector<Option> options;
  bool takes_settings = false;
  Words words = {};  // in place of paths
};

Words machines() {
  static const std::vector<CompiledText> texts = machine_texts();
  Words names;
  for (const CompiledText& text : texts) names.push_back(text.name);
  return names;
}

// All but the settings. tests/app/test_completion.py compares it with what each --help lists.
std::vector<Command> commands() {
  using enum Takes;
  const Option json = {"json", "one JSON object instead of tables"};
  const Option out = {"out", "where to write", kPath};
  return {
      {"palimpsest",
       "train",
       "run a stream of tasks",
       {{"print-config", "the resolved settings"}},
       true},
      {"palimpsest",
       "eval",
       "accuracy and loss of saved weights",
       {{"weights", "a run folder, a state or merged weights", kPath},
        {"sweep", "a run folder: its newest merge at many values of alpha", kPath},
        {"split", "which samples", kText, {"test", "validation", "train"}},
        {"points", "of a sweep", kText},
        {"csv", "of a sweep: a table of numbers", kPath},
        out,
        json},
       true},
      {"palimpsest",
       "predict",
       "a class for every sample of a pack",
       {{"weights", "a run folder, a state or merged weights", kPath},
        {"split", "of the pack", kText, {"all", "train", "test"}},
        {"top", "how many of the likeliest classes", kText},
        {"scores", "a column for every class", kText, {"none", "probabilities", "logits"}},
        out,
        json},
       true},
      {"palimpsest",
       "plan",
       "memory, time over many ranks, and where it stops scaling",
       {{"world-size", "ranks to plan for, as in 1,8,64", kText},
        {"machine", "what runs it", kPath, machines()},
        {"shape", "a published backbone, without any file", kText},
        {"task-count", "with --shape: tasks", kText},
        {"task-samples", "with --shape: training samples of a task", kText},
        {"task-classes", "with --shape: classes of a task", kText},
        {"tokens", "with --shape: tokens of a text", kText}},
       true},
      {"palimpsest",
       "doctor",
       "whether machine, launch and run folder fit a run",
       {json, {"before-train", "the settings are the whole line of a palimpsest train"}},
       true},
      {"palimpsest-inspect",
       "",
       "",
       {json,
        {"cosines", "between the run's task vectors"},
        {"frozen", "a run with adapter = none", kPath},
        {"joint", "a run that learned all tasks at once", kPath}}},
      {"palimpsest-diff", "", "", {{"all", "every field that differs"}}},
      {"palimpsest-verify", "", "", {}},
      {"palimpsest-merge",
       "",
       "",
       {{"rule", "another merge rule than the run's own", kText, kind_names(merge_rules())},
        {"tasks", "only these, as in 1,3,5", kText},
        {"remove-task", "all but this one", kText},
        {"audit", "by how much each merge raised each task's loss"},
        {"adapters", "folders of LoRA adapters that PEFT saved", kPath},
        {"curvature", "a file beside each adapter", kPath},
        out,
        json}},
      {"palimpsest-report", "", "", {out, json, {"csv", "of several runs: a table of numbers"}}},
      {"palimpsest-export",
       "",
       "",
       {out,
        {"format", "a whole model or an adapter", kText, {"safetensors", "peft"}},
        {"dialect", "whose names of tensors", kText, {"own", "timm", "hf4", "hf5"}},
        {"task", "after which task of a run", kText},
        {"optimum", "where the training of that task ended"},
        {"rank", "the closest adapter of this rank", kText},
        {"backbone", "folder of the pretrained model", kPath}}},
      {"palimpsest-pack", "", "", {}, false, {"backbone", "debian", "images", "protocol", "show"}},
  };
}

std::string_view first_sentence(std::string_view text) {
  for (std::size_t at = text.find('.'); at != text.npos; at = text.find('.', at + 1)) {
    if (at + 1 == text.size() || text[at + 1] == ' ' || text[at + 1] == '\n')
      return text.substr(0, at);
  }
  return text;
}

// How texts of the kinds begin: "NAME", "NAME:key=", and "NAME:key=choice" where there are choices.
std::string texts_of(const KindTable& table) {
  std::string text;
  for (const Kind& kind : table.kinds) {
    text += concat(text.empty() ? "" : " ", kind.name);
    for (const Parameter& key : kind.parameters) {
      Words values = key.choices;
      if (key.type == Type::kSwitch) values = {"true", "false"};
      if (values.empty()) values = {""};
      for (const std::string_view value : values)
        text += concat(" ", kind.name, ":", key.name, "=", value);
    }
  }
  return text;
}

// Those that the verb takes. A text is a path: no setting has free text.
std::vector<Option> settings(std::string_view verb = "train") {
  std::vector<Option> options = {{"config", "a file of lines 'name = value'", Takes::kPath}};
  for (const Key& key : all_settings().keys) {
    if (!is_taken_by(key, verb)) continue;
    Option option = {key.name, first_sentence(key.help), Takes::kText, key.choices};
    if (key.type == Type::kSwitch) {
      option.words = {"true", "false"};
      option.may_be_alone = true;
    } else if (key.type == Type::kText) {
      option.takes = Takes::kPath;
    } else if (key.type == Type::kKind) {
      option.kinds = texts_of(*key.kinds);
    }
    options.push_back(std::move(option));
  }
  return options;
}

std::string join(const Words& words) {
  std::string text;
  for (const std::string_view word : words) text += concat(text.empty() ? "" : " ", word);
  return text;
}

std::string names(const std::vector<Option>& options) {
  std::string text;
  for (const Option& option : options) text += concat(text.empty() ? "" : " ", "--", option.name);
  return text;
}

std::string called(const Command& command) {
  return command.verb.empty() ? std::string(command.program)
                              : concat(command.program, " ", command.verb);
}

// The programs, each once.
Words programs() {
  Words found;
  for (const Command& command : commands()) {
    if (found.empty() || found.back() != command.program) found.push_back(command.program);
  }
  return found;
}

Words verbs() {
  Words found;
  for (const Command& command : commands()) {
    if (!command.verb.empty()) found.push_back(command.verb);
  }
  return found;
}

constexpr std::string_view kBashHead =
    R"(# bash completion for palimpsest and its tools, made from its table of settings. Source it, or put it where bash-completion looks.
# shellcheck shell=bash disable=SC2207
_palimpsest() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} called=${COMP_WORDS[0]##*/}
  local options='' other='' words='' paths='' kinds='' at=$((COMP_CWORD - 1)) typed='' word=''
  # --name=value is three words for bash.
  if [[ $current == = ]]; then current=''; elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD - 2]}; fi
  if [[ $called == palimpsest && $COMP_CWORD -gt 1 ]]; then called="palimpsest ${COMP_WORDS[1]}"; fi
  # NAME:key=value is several words, too: all behind the option.
  while [[ $at -gt 0 && ${COMP_WORDS[at]} != --* ]]; do at=$((at - 1)); done
  typed=$(IFS=; printf '%s' "${COMP_WORDS[*]:at + 1:COMP_CWORD - at}")
  typed=${typed#=}
  if [[ $typed == *[:=]* ]]; then before=${COMP_WORDS[at]}; fi
)";

constexpr std::string_view kBashTail =
    R"(    *)
      if [[ $current == -* ]]; then
        words=$options
      elif [[ $other == paths ]]; then
        paths=1
      else
        words=${other:-$options}
      fi
      ;;
  esac
  if [[ -n $kinds ]]; then
    for word in $kinds; do
      if [[ $typed == *,* && $word == "${typed%%:*}:"* ]]; then
        words+=" ${typed%,*},${word#*:}"
      elif [[ $typed != *,* && ($typed == *:* && $word == *:* || $typed != *:* && $word != *:*) ]]; then
        words+=" $word"
      fi
    done
    current=${typed##*[:=]}
    word=${typed%"$current"}
    COMPREPLY=($(compgen -W "$words" -- "$typed"))
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
    if [[ ${COMPREPLY[*]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
    return
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ -n $paths ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
  fi
}
)";

// A case of what follows an option; `called`: of which command, "" for a setting.
std::string bash_case(std::string_view called, const Option& option) {
  if (option.takes == Takes::kNothing) return "";
  std::string reply;
  if (!option.kinds.empty()) reply = concat(" kinds='", option.kinds, "'");
  if (!option.words.empty()) reply = concat(" words='", join(option.words), "'");
  if (option.takes == Takes::kPath) reply += " paths=1";
  if (option.may_be_alone)
    reply = concat(" if [[ $current == -* ]]; then words=$options; else", reply, "; fi");
  const std::string pattern = called.empty() ? concat("'palimpsest '*' --", option.name, "'")
                                             : concat("'", called, " --", option.name, "'");
  return concat("    ", pattern, ")", reply, " ;;\n");
}

std::string bash() {
  std::string options =
      concat("  case $called in\n    palimpsest) options='--help --version' other='", join(verbs()),
             "' ;;\n");
  std::string values = "  case \"$called $before\" in\n";
  for (const Command& command : commands()) {
    std::string reply = concat("options='", names(command.options), " --help'");
    if (command.takes_settings) {
      reply.insert(reply.size() - 1, concat(" ", names(settings(command.verb))));
    } else if (command.words.empty()) {
      reply += " other=paths";
    } else {
      reply += concat(" other=paths; [[ $COMP_CWORD -gt 1 ]] || other='", join(command.words), "'");
    }
    options += concat("    '", called(command), "') ", reply, " ;;\n");
    for (const Option& option : command.options) values += bash_case(called(command), option);
  }
  for (const Option& option : settings()) values += bash_case("", option);
  return concat(kBashHead, options, "  esac\n", values, kBashTail, "complete -F _palimpsest ",
                join(programs()), "\n");
}

// `text` within single quotes, with `marks` escaped for _arguments.
std::string escaped(std::string_view text, std::string_view marks) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\'') {
      result += "'\\''";
      continue;
    }
    if (marks.find(letter) != marks.npos) result += '\\';
    result += letter == '\n' ? ' ' : letter;
  }
  return result;
}

std::string zsh_spec(const Option& option) {
  const std::string head = concat("'--", option.name, option.takes == Takes::kNothing ? "" : "=",
                                  "[", escaped(option.help, "[]\\"), "]");
  if (option.takes == Takes::kNothing) return head + "'";
  std::string action = !option.kinds.empty()
                           ? concat(" _palimpsest_kind ", escaped(option.kinds, ":"))
                       : option.words.empty() ? " "
                                              : concat("(", join(option.words), ")");
  if (option.takes == Takes::kPath) {
    action =
        option.words.empty() ? "_files" : concat("{ compadd -- ", join(option.words), "; _files }");
  }
  return concat(head, option.may_be_alone ? "::" : ":", option.name, ":", action, "'");
}

std::string zsh_arguments(const Command& command) {
  std::string text = "_arguments '--help[what there is]'";
  for (const Option& option : command.options) text += concat(" \\\n        ", zsh_spec(option));
  if (command.takes_settings) {
    for (const Option& option : settings(command.verb))
      text += concat(" \\\n        ", zsh_spec(option));
    return text;
  }
  return text + (command.words.empty() ? " \\\n        '*:path:_files'"
                                       : concat(" \\\n        '1:command:(", join(command.words),
                                                ")' '*:path:_files'"));
}

std::string zsh() {
  std::string text =
      concat("#compdef ", join(programs()),
             "\n# Made from palimpsest's table of settings. Put it into a folder of fpath.\n"
             R"(_palimpsest_kind() {
  local -a texts
  if [[ $PREFIX == *,* ]]; then
    texts=(${(M)@:#${PREFIX%%:*}:*})
    texts=(${PREFIX%,*},${^texts#*:})
  elif [[ $PREFIX == *:* ]]; then
    texts=(${(M)@:#*:*})
  else
    texts=(${@:#*:*})
  fi
  compadd -S '' -- $texts
}
local -a verbs
verbs=(
)");
  std::string cases;
  for (const Command& command : commands()) {
    if (!command.verb.empty())
      text += concat("  '", command.verb, ":", escaped(command.help, ":"), "'\n");
    cases += concat("  '", called(command), "')\n    ", zsh_arguments(command), " ;;\n");
  }
  return concat(text, R"()
local called=$service
if [[ $called == palimpsest ]]; then
  if (( CURRENT == 2 )); then
    _describe command verbs
    _arguments '--help[what there is]' '--version[which one]'
    return
  fi
  called="palimpsest $words[2]"
  shift words
  (( CURRENT-- ))
fi
case $called in
)",
                cases, "esac\n");
}

int write(int count, char** values) {
  const std::string_view shell = count == 2 ? values[1] : "";
  if (shell != "bash" && shell != "zsh") throw UsageError("expected bash or zsh");
  print(shell == "bash" ? bash() : zsh());
  return 0;
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  return palimpsest::run_tool("palimpsest-completion", count, values, palimpsest::write);
}
