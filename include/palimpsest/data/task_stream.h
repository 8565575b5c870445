#pragma once
// The tasks of a run, in order: which samples of the pack train and test each.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/scenario.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/format/protocol.h"

namespace palimpsest {

// Samples of one split of a task: pack indices, and for each the class by its position in the task.
struct LabelledSamples {
  std::vector<std::int64_t> samples;
  std::vector<std::int64_t> targets;
  std::int64_t size() const { return static_cast<std::int64_t>(samples.size()); }
};

struct Task {
  std::int64_t index = 0;
  std::string name = {};
  std::vector<std::string> classes = {};  // the protocol's labels of them, by output of the head
  std::vector<AnswerScore> scores = {};   // by class; empty: exact match
  LabelledSamples train = {}, test = {};
  LabelledSamples validation = {};  // kept out of training (--validation)

  // Of completions of the class with this target.
  AnswerScore score(std::int64_t target) const {
    return scores.empty() ? AnswerScore::kExactMatch : scores[static_cast<std::size_t>(target)];
  }

  // Learned from another pack (--continue): its training samples are gone.
  bool is_past() const { return train.samples.empty(); }
};

// Matches a protocol to a pack. Of the training samples that the protocol takes, a share of
// `validation`, chosen by their bytes alone, is kept for validation. Throws InputError when they
// don't fit: a class the pack lacks (with the nearest one), fewer samples of a class than the
// protocol takes, or a class of which validation leaves none to train on.
std::vector<Task> make_tasks(const Pack& pack, const Protocol& protocol, double validation = 0);

// All tasks as one, the bound that no stream can reach: their classes and samples one task after
// the other. A class that several tasks have (by name) is one class. At least one task.
Task joint_task(std::span<const Task> tasks);

// Whether a class of any of them is scored by another score than exact match.
bool has_task_score(std::span<const Task> tasks);

// Positions of the test samples that are scored so.
std::vector<std::size_t> scored_by(const Task& task, AnswerScore score);

// The different last completions of the test samples that are scored by choice, in the order in
// which they come.
std::vector<std::vector<std::int64_t>> choice_candidates(const Pack& pack, const Task& task);

// Throws InputError where a choice has a single candidate, or a prompt and a candidate together
// have more than `positions` tokens. `protocol`: the file, for the message.
void check_choices(const Pack& pack, std::span<const Task> tasks, std::int64_t positions,
                   std::string_view protocol);

// `tasks` come after `past`, and all are numbered so.
void put_before(std::vector<Task> past, std::vector<Task>& tasks);

// Throws InputError unless the tasks' classes are all different ones, or, in domain-incremental,
// the same in the same order. `protocol`: the file, for the message.
void check_scenario(std::span<const Task> tasks, Scenario scenario, std::string_view protocol);

// Positions 0 .. size-1 in chunks of `chunk`: evaluation and Fisher passes run over these at every
// world size.
std::vector<std::vector<std::int64_t>> chunks(std::int64_t size, std::int64_t chunk);

}  // namespace palimpsest
