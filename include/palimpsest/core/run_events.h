#pragma once
// What happens in a run, published to its listeners: the terminal, the logs. Listeners are on rank
// 0 alone, so what they do is never collective.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "palimpsest/core/evaluation_row.h"

namespace palimpsest {

struct RunStarted {
  std::string folder;
  int tasks = 0;
  int world_size = 1;
  int lanes = 1;
  std::string device;
  std::string pack_content_sha256;
  std::string backbone_sha256;
  std::int64_t adapted_weights = 0;
  std::int64_t trained_parameters = 0;  // per task: adapter and head
  int resumed_after_task = -1;          // -1: from the beginning
  std::int64_t resumed_at_step = 0;     // of the task after that; 0: from its beginning
};

struct TaskStarted {
  int task = 0;
  std::vector<std::string> classes;
  std::int64_t samples = 0;
  std::int64_t steps = 0;
  std::int64_t steps_before = 0;  // of earlier tasks whose data is available, by these settings
};

struct StepDone {
  int task = 0;
  std::int64_t step = 0;  // from 0
  std::int64_t steps = 0;
  double loss = 0;           // mean cross-entropy of the global batch, perturbed weights
  double gradient_norm = 0;  // before clipping
  double scale = 1;          // c of the perturbation; stratified: their mean over the batch;
                             // gaussian: 1
  double learning_rate = 0;  // of the adapter
  std::int64_t samples = 0;  // of the global batch
  double seconds = 0;        // of this step
};

// A step whose loss or gradient was not finite, and that was left out (--nonfinite skip).
struct StepSkipped {
  int task = 0;
  std::int64_t step = 0;  // from 0
  bool in_refit = false;  // of the head's refit, and not of the task's own training
  double loss = 0, gradient_norm = 0;
  std::vector<std::int64_t> samples = {};  // of the batch, as pack indices
};

struct TaskTrained {
  int task = 0;
  double loss_first_step = 0;
  double loss_last_pass = 0;  // mean over the last pass over the data
  double seconds = 0;
};

struct Merged {
  int task = 0;
  std::string rule;
  double alpha = 1;                                           // the mean, where there are several
  std::optional<std::pair<double, double>> alpha_range = {};  // the least and the most of several
  std::optional<double> alpha_unclamped, numerator, denominator;
  std::optional<double> fisher_factor = {};       // what this task's Fisher was multiplied by
  std::optional<double> fisher_mass_task = {};    // Delta' F_t Delta, scaled
  std::optional<double> fisher_mass_before = {};  // Delta' (S0 before this task) Delta
  std::string remark;  // plain words, where the merge discards the task or the past
};

// What the merge cost the task (--error-budget), in nats per training sample.
struct ErrorBudget {
  int task = 0;
  std::optional<double> rise_predicted;  // 1/2 d' F_t d, d = theta_hat_t - theta_t*
  double rise_measured = 0;              // L_t(theta_hat_t) - L_t(theta_t*)
};

struct Evaluated {
  int task = 0;
  std::string classifier = {};  // NAME[:key=value,...]
  bool is_own = true;           // whether it is the run's own, or one of the others
  bool after_merge = false;
  EvaluationRow row;  // over the tasks seen
  double seconds = 0;
};

// What a part of the method has to say, in plain words.
struct Remark {
  int task = 0;
  std::string text;
};

// All that is said of a task was said: its training, merge and evaluation.
struct TaskLearned {
  int task = 0;
};

// Its record and the state after it are on the disk. `seconds`: to write them, while the next task
// may have begun.
struct TaskSaved {
  int task = 0;
  std::string file;
  double seconds = 0;
};

// A copy of a task in the middle of its training was taken, to be saved; what listeners have
// written up to this event belongs to it.
struct CheckpointTaken {
  int task = 0;
  std::int64_t steps_done = 0;
};

struct RunFinished {
  double seconds = 0;
};

class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void on(const RunStarted&) {}
  virtual void on(const TaskStarted&) {}
  virtual void on(const StepDone&) {}
  virtual void on(const StepSkipped&) {}
  virtual void on(const TaskTrained&) {}
  virtual void on(const Merged&) {}
  virtual void on(const ErrorBudget&) {}
  virtual void on(const Evaluated&) {}
  virtual void on(const Remark&) {}
  virtual void on(const TaskLearned&) {}
  virtual void on(const TaskSaved&) {}
  virtual void on(const CheckpointTaken&) {}
  virtual void on(const RunFinished&) {}
};

// Hands every event to every listener, in the order they were added. Listeners outlive it.
class RunEvents {
 public:
  void add(RunListener& listener) { listeners_.push_back(&listener); }

  template <typename Event>
  void publish(const Event& event) const {
    for (RunListener* listener : listeners_) listener->on(event);
  }

 private:
  std::vector<RunListener*> listeners_;
};

}  // namespace palimpsest
