#include "palimpsest/data/task_stream.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// By class of the pack: its samples of each split, in the order in which the pack has them.
struct ClassSamples {
  std::vector<std::int64_t> train, test;
};

void take(const std::vector<std::int64_t>& found, std::int64_t wanted, std::int64_t target,
          std::string_view what, const std::string& name, const Pack& pack, LabelledSamples& into) {
  const auto available = static_cast<std::int64_t>(found.size());
  const std::int64_t count = wanted == 0 ? available : wanted;
  if (available < count || available == 0) {
    throw InputError(concat(
        "class '", name, "' has ", available, " ", what, " samples in ", pack.path().string(),
        "; the protocol takes ", count == 0 ? "at least one" : std::to_string(count),
        ". Make the protocol from this pack (palimpsest pack protocol), or take fewer"));
  }
  into.samples.insert(into.samples.end(), found.begin(), found.begin() + count);
  into.targets.insert(into.targets.end(), static_cast<std::size_t>(count), target);
}

std::string lower_case(std::string_view text) {
  std::string lower;
  for (const char letter : text)
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return lower;
}

[[noreturn]] void refuse_class(const Protocol& protocol, const std::string& name,
                               const Pack& pack) {
  const auto refusal = [&](const auto&... why) {
    return InputError(concat("protocol '", protocol.name, "' names class '", name, "', which ",
                             pack.path().string(), " (", pack.classes().size(),
                             " classes) doesn't have", why...));
  };
  const auto other_bytes = [&](const std::string& known) {
    return concat(": in bytes, ", with_escapes(name), " in the protocol and ", with_escapes(known),
                  " in the pack. Write the protocol's as the pack has it");
  };
  for (const std::string& known : pack.classes()) {
    if (as_it_looks(known) == as_it_looks(name)) {
      throw refusal(
          "; its '", known,
          "' looks the same and isn't (blanks at its ends, or accents as in NFD instead of NFC)",
          other_bytes(known));
    }
    if (lower_case(as_it_looks(known)) == lower_case(as_it_looks(name)))
      throw refusal("; its '", known, "' differs in capitals alone", other_bytes(known));
  }
  const std::vector<std::string_view> known(pack.classes().begin(), pack.classes().end());
  const std::string near = nearest_name(name, known);
  if (near.empty() && with_escapes(name) != name) {
    throw refusal(": in bytes, ", with_escapes(name),
                  ". Names are compared byte by byte, and accents have two encodings: copy the "
                  "name from the pack (palimpsest pack show)");
  }
  const bool is_ascii = with_escapes(name) == name && with_escapes(near) == near;
  throw refusal(near.empty() ? "" : "; the nearest is '" + near + "'",
                is_ascii ? ": the protocol was made for another pack" : other_bytes(near));
}

// A number in [0, 1) that follows from a sample's bytes alone: the first 8 bytes of their SHA-256,
// big-endian, over 2^64.
double content_share(const Pack& pack, std::int64_t sample) {
  const std::string hash =
      sha256(pack.has_texts() ? std::as_bytes(pack.tokens(sample)) : pack.image(sample).bytes);
  return std::ldexp(static_cast<double>(std::stoull(hash.substr(0, 16), nullptr, 16) >> 11), -53);
}

// Moves those below `share` by their content from train to validation.
void keep_for_validation(const Pack& pack, double share, Task& task) {
  if (share == 0) return;
  LabelledSamples train;
  std::vector<std::int64_t> left(task.classes.size());  // by class
  for (std::size_t i = 0; i < task.train.samples.size(); ++i) {
    const std::int64_t sample = task.train.samples[i], target = task.train.targets[i];
    const bool keep = content_share(pack, sample) < share;
    LabelledSamples& side = keep ? task.validation : train;
    side.samples.push_back(sample);
    side.targets.push_back(target);
    if (!keep) ++left[static_cast<std::size_t>(target)];
  }
  const auto none = std::ranges::find(left, 0);
  if (none != left.end()) {
    const auto target = none - left.begin();
    throw InputError(concat(
        "--validation ", share, " keeps all ", std::ranges::count(task.train.targets, target),
        " training samples of class '", task.classes[static_cast<std::size_t>(target)],
        "' out of training; expected at least one to be left: lower the share, or let the protocol "
        "take more samples of a class"));
  }
  task.train = std::move(train);
}

std::string title(const Task& task) {
  return concat("task ", task.index + 1, task.name.empty() ? "" : concat(" (", task.name, ")"));
}

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const std::string bytes = with_escapes(name);
    text +=
        concat(text.empty() ? "'" : ", '", name, bytes == name ? "'" : "' (bytes " + bytes + ")");
  }
  return text;
}

void check_same(std::span<const Task> tasks, std::string_view protocol) {
  for (const Task& task : tasks) {
    if (task.classes == tasks.front().classes) continue;
    throw InputError(concat(protocol, ": scenario = domain-incremental: expected in ", title(task),
                            " the labels of ", title(tasks.front()), " in their order, ",
                            quoted(tasks.front().classes), ", found ", quoted(task.classes),
                            ": give the task's classes these labels"));
  }
}

}  // namespace

std::vector<Task> make_tasks(const Pack& pack, const Protocol& protocol, double validation) {
  std::vector<ClassSamples> by_class(pack.classes().size());
  for (std::int64_t i = 0; i < pack.size(); ++i) {
    ClassSamples& samples = by_class[static_cast<std::size_t>(pack.label(i))];
    (pack.is_test(i) ? samples.test : samples.train).push_back(i);
  }
  std::map<std::string_view, std::size_t> class_index;
  for (std::size_t c = 0; c < pack.classes().size(); ++c) class_index[pack.classes()[c]] = c;

  std::vector<Task> tasks;
  for (const ProtocolTask& from : protocol.tasks) {
    Task task{.index = std::ssize(tasks), .name = from.name, .classes = from.labels};
    task.scores.assign(from.classes.size(), from.score);
    if (from.score != AnswerScore::kExactMatch && !pack.has_completions()) {
      throw InputError(concat("protocol '", protocol.name, "': ", from.name, " is scored by ",
                              name(from.score), ", but ", pack.path().string(),
                              " has no prompts with completions: leave its score out"));
    }
    if (from.classes.size() < 2 && !pack.has_completions()) {
      throw InputError(concat("protocol '", protocol.name, "': ", from.name, " has ",
                              from.classes.size(), " classes; a task needs at least two"));
    }
    for (std::size_t c = 0; c < from.classes.size(); ++c) {
      const auto found = class_index.find(from.classes[c]);
      if (found == class_index.end()) {
        refuse_class(protocol, from.classes[c], pack);
      }
      const auto target = static_cast<std::int64_t>(c);
      const ClassSamples& samples = by_class[found->second];
      take(samples.train, protocol.train_per_class, target, "training", from.classes[c], pack,
           task.train);
      take(samples.test, protocol.test_per_class, target, "test", from.classes[c], pack, task.test);
    }
    keep_for_validation(pack, validation, task);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

Task joint_task(std::span<const Task> tasks) {
  Task joint{.index = 0, .name = concat("joint of ", tasks.size(), " tasks")};
  std::map<std::string_view, std::int64_t> number_by_class;
  const auto add = [&](const LabelledSamples& from, const Task& task, LabelledSamples& into) {
    into.samples.insert(into.samples.end(), from.samples.begin(), from.samples.end());
    for (const std::int64_t target : from.targets) {
      into.targets.push_back(number_by_class.at(task.classes[static_cast<std::size_t>(target)]));
    }
  };
  for (const Task& task : tasks) {
    for (std::size_t c = 0; c < task.classes.size(); ++c) {
      const std::string& name = task.classes[c];
      if (!number_by_class.try_emplace(name, std::ssize(joint.classes)).second) continue;
      joint.classes.push_back(name);
      joint.scores.push_back(task.score(static_cast<std::int64_t>(c)));
    }
    add(task.train, task, joint.train);
    add(task.test, task, joint.test);
    add(task.validation, task, joint.validation);
  }
  return joint;
}

bool has_task_score(std::span<const Task> tasks) {
  return std::ranges::any_of(tasks, [](const Task& task) {
    return std::ranges::count(task.scores, AnswerScore::kExactMatch) < std::ssize(task.scores);
  });
}

std::vector<std::size_t> scored_by(const Task& task, AnswerScore score) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < task.test.targets.size(); ++i)
    if (task.score(task.test.targets[i]) == score) found.push_back(i);
  return found;
}

std::vector<std::vector<std::int64_t>> choice_candidates(const Pack& pack, const Task& task) {
  std::vector<std::vector<std::int64_t>> candidates;
  for (const std::size_t i : scored_by(task, AnswerScore::kChoice)) {
    const std::int64_t sample = task.test.samples[i];
    const Completion last = pack.completions(sample).back();
    const auto ids = pack.tokens(sample).begin();
    std::vector<std::int64_t> candidate(ids + last.begin, ids + last.end);
    if (std::ranges::find(candidates, candidate) == candidates.end())
      candidates.push_back(std::move(candidate));
  }
  return candidates;
}

void check_choices(const Pack& pack, std::span<const Task> tasks, std::int64_t positions,
                   std::string_view protocol) {
  for (const Task& task : tasks) {
    const auto candidates = choice_candidates(pack, task);
    if (candidates.empty()) continue;
    if (candidates.size() == 1) {
      throw InputError(concat(protocol, ": ", task.name,
                              " is scored by choice: expected two different completions at least "
                              "among its test samples, found one: score it by exact-match"));
    }
    std::int64_t prompt = 0, candidate = 0;
    for (const std::size_t i : scored_by(task, AnswerScore::kChoice))
      prompt = std::max(prompt, pack.completions(task.test.samples[i]).back().begin);
    for (const auto& one : candidates) candidate = std::max(candidate, std::ssize(one));
    if (prompt + candidate <= positions) continue;
    throw InputError(concat(
        protocol, ": ", task.name, " is scored by choice: expected prompts that ", "fit into the ",
        positions, " positions of the backbone with every candidate, found a prompt of ", prompt,
        " tokens and a candidate of ", candidate,
        ": shorten them (palimpsest pack chat --max-length), or score the task "
        "by exact-match"));
  }
}

void put_before(std::vector<Task> past, std::vector<Task>& tasks) {
  tasks.insert(tasks.begin(), std::make_move_iterator(past.begin()),
               std::make_move_iterator(past.end()));
  for (std::int64_t index = 0; Task & task : tasks) task.index = index++;
}

void check_scenario(std::span<const Task> tasks, Scenario scenario, std::string_view protocol) {
  if (shares_head(scenario)) return check_same(tasks, protocol);
  std::map<std::string_view, const Task*> seen;
  for (const Task& task : tasks) {
    for (const std::string& name : task.classes) {
      const auto [place, is_new] = seen.emplace(name, &task);
      if (is_new) continue;
      throw InputError(concat(protocol, ": scenario = ", palimpsest::name(scenario), ": '", name,
                              "' of ", title(*place->second), " is in ", title(task),
                              " again: expected new classes in every task. Where tasks are domains "
                              "with the same classes: --scenario domain-incremental"));
    }
  }
}

std::vector<std::vector<std::int64_t>> chunks(std::int64_t size, std::int64_t chunk) {
  std::vector<std::vector<std::int64_t>> all;
  for (std::int64_t first = 0; first < size; first += chunk) {
    std::vector<std::int64_t>& positions =
        all.emplace_back(static_cast<std::size_t>(std::min(chunk, size - first)));
    std::iota(positions.begin(), positions.end(), first);
  }
  return all;
}

}  // namespace palimpsest
