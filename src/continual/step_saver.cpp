#include "palimpsest/continual/step_saver.h"

namespace palimpsest {

void finish_writing(OpenRun& run) {
  const Watchdog::Phase phase(run.session.watchdog, "waiting for a save", 10);
  run.session.group.work("save on rank 0", [&] { run.writer->wait(); });
}

StepSaver::Wish StepSaver::wish_here(const TaskProgress& counters) const {
  if (run_.session.stop.local_signal() != 0) return Wish::kStop;
  if (!run_.session.is_root()) return Wish::kNone;
  if (counters.steps_done == counters.steps) return Wish::kSave;
  if (run_.writer->is_writing()) return Wish::kNone;  // no step waits for a slow disk
  const RunConfig& config = run_.session.config;
  const bool by_steps = config.checkpoint_every > 0, by_time = config.checkpoint_minutes > 0;
  const bool due = (by_steps && counters.steps_done % config.checkpoint_every == 0) ||
                   (by_time && since_last_.seconds() > 60 * config.checkpoint_minutes);
  return due ? Wish::kSave : Wish::kNone;
}

void StepSaver::after_step(const TaskProgress& counters,
                           const std::function<TaskProgress()>& snapshot) {
  run_.session.stop.accept_requests();  // this step will be saved
  const auto wish = static_cast<Wish>(run_.session.group.max(
      static_cast<std::int64_t>(wish_here(counters)), "agreement after a step"));
  if (wish == Wish::kNone) return;
  const Watchdog::Phase phase(run_.session.watchdog, "saving a step", 10);
  const bool is_last = counters.steps_done == counters.steps;
  if (wish == Wish::kStop || is_last) finish_writing(run_);  // its error reaches every rank
  if (run_.session.is_root()) start_writing(snapshot());
  since_last_ = Stopwatch();
  if (wish == Wish::kStop) finish_writing(run_);
  if (wish == Wish::kStop) throw Stopped{run_.session.stop.local_signal()};
}

void StepSaver::start_writing(TaskProgress progress) {
  run_.writer->wait();  // the state before has its hash then
  run_.session.events.publish(
      CheckpointTaken{.task = static_cast<int>(progress.task), .steps_done = progress.steps_done});
  const auto task = static_cast<std::size_t>(progress.task);
  StepRecord record{.progress = std::move(progress),
                    .state_content_sha256 = run_.state_content_sha256,
                    .task_sha256 = hash_contents(run_.session.tasks().subspan(task, 1)),
                    .backbone_sha256 = run_.identity.backbone_sha256,
                    .backbone_shape_sha256 = run_.identity.backbone_shape_sha256,
                    .pack_content_sha256 = run_.identity.pack_content_sha256,
                    .config = run_.identity.config,
                    .numerics = run_.identity.numerics};
  run_.writer->start([folder = run_.folder, record = std::move(record),
                      logs = run_.folder.log_offsets()] { folder.commit_step(record, logs); });
}

}  // namespace palimpsest
