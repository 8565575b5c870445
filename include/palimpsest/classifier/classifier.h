#pragma once
// What scores all classes seen. A head is what the steps of a task train; a classifier is what
// answers. A part of the method: a kind is a file of src/classifier and a row of its table.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "palimpsest/core/named_tensors.h"
#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/kinds/needed_memory.h"
#include "palimpsest/train/task_passes.h"

namespace palimpsest {

// The classes of the tasks seen: of each its own, or the same of all.
struct ClassesSeen {
  std::vector<std::int64_t> by_task = {};  // how many
  bool shared = false;                     // --scenario domain-incremental

  std::int64_t count() const;                  // of different ones
  std::int64_t first(std::size_t task) const;  // place of its first class among all
};
ClassesSeen classes_seen(std::span<const Task> tasks, Scenario scenario);

// Ready to answer, where the model is: [samples, features] -> [samples, classes]. Where two are
// equal the first class is the answer.
using ClassScores = std::function<at::Tensor(const at::Tensor& features)>;

// The samples of a task, as a classifier takes them in.
struct LearnedSamples {
  std::int64_t samples = 0, features = 0;
  std::int64_t seen = 0;  // classes of all tasks, with this one's
};

// What that takes, in counts: bytes after it on rank 0 alone and on every rank, the bytes that rank
// 0 needs besides while it learns, and its floating-point operations.
struct ClassifierCost {
  double kept_on_root = 0, kept_everywhere = 0, at_work = 0;
  double operations = 0;

  double bytes() const { return kept_on_root + kept_everywhere + at_work; }
};

class Classifier {
 public:
  explicit Classifier(const KindSettings& settings) : text_(settings.text()) {}
  virtual ~Classifier() = default;

  // NAME[:key=value,...], the shortest that means the same: by this name records and logs have it.
  const std::string& text() const { return text_; }
  // Where its memory is: "classifier/<text>".
  std::string instance() const;

  // Collective, after the merge of the passes' task; the head that the task has trained is in the
  // memory, and stays as it is. Takes in the task at theta_hat_t.
  virtual void learn(TaskPasses& passes, const AdaptedWeights& merged, const ClassesSeen& seen,
                     NamedTensors& memory) const = 0;

  // Of what was learned; the same on every rank. Throws Error for a memory that lacks something.
  virtual ClassScores scores(const NamedTensors& memory, const ClassesSeen& seen,
                             at::Device device) const = 0;

  // Collective: as if the task were taken in at theta_t*, before its merge. The memory stays as it
  // is.
  ClassScores scores_before_merge(TaskPasses& passes, const AdaptedWeights& trained,
                                  const ClassesSeen& seen, const NamedTensors& memory) const;

  // Its own memory after so many tasks, besides their heads: to learn the next one; and to answer,
  // for which scores() may read less.
  virtual std::vector<NeededMemory> needs(std::int64_t tasks) const = 0;
  virtual std::vector<NeededMemory> needs_to_answer(std::int64_t tasks) const {
    return needs(tasks);
  }

  // Throws Error where its own array isn't what learn() leaves after these tasks.
  virtual void check(const NamedTensors& memory, const ClassesSeen& seen) const = 0;

  // Of learn(); for the plan. The heads and the features themselves are counted elsewhere.
  virtual ClassifierCost cost(const LearnedSamples&) const { return {}; }

  // Whether it answers at all. Where it doesn't, scores() has nothing to call.
  virtual bool compares_classes() const { return true; }

  // Whether it requests the features of a task's training samples after its merge.
  virtual bool takes_features() const { return true; }

  // And those before the task, from the second one on.
  virtual bool takes_features_before() const { return false; }

  // Whether it trains the newest head once more after a merge; all heads together.
  virtual bool refits_heads() const { return false; }
  virtual bool aligns_heads() const { return false; }

 private:
  std::string text_;
};

using ClassifierKind = PartKind<Classifier>;
const PartTable<Classifier>& classifiers();

}  // namespace palimpsest
