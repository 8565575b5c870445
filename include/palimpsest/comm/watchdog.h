#pragma once
// Knows what this rank is doing. Ends the job when one named phase outlasts its deadline, and
// leaves a heartbeat file behind that says, after a rank was killed, which rank it was and what it
// did.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace palimpsest {

class PhaseLog;

class Watchdog {
 public:
  // deadline_seconds: for one phase; 0 switches the watching off. May be made before MPI starts.
  explicit Watchdog(double deadline_seconds);
  // Marks the heartbeat "done", unless end() was called.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void set_deadline(double seconds);

  // From now on the heartbeat is written to folder/rank-NNNN: a small mapped file, one `key value`
  // a line, no system call per step. SIGTERM marks its end and then ends the process. Throws Error
  // when the file cannot be made.
  void write_heartbeat(const std::filesystem::path& folder, int rank);

  // How this process ends, for the heartbeat's field `end`; the first mark stays. A file without a
  // mark belongs to a rank that was killed.
  void end(std::string_view mark);

  // The position of the training; kept in the heartbeat and in every message. Restarts the clock of
  // the innermost phase.
  void at(int task, std::int64_t step);

  // The innermost phase makes progress, however long it takes: restarts its clock.
  void progress();

  // The collective that begins now, for the heartbeat and the messages; the last one stays known.
  void collective(std::string_view name);

  // From now on phases, collectives and steps are written to `log`; null: nowhere. It outlives its
  // use.
  void set_phase_log(PhaseLog* log);

  // While a Phase lives, its deadline runs. Phases nest: only the innermost one's clock runs, and
  // one that ends restarts that of the phase around it. One thread opens phases.
  class Phase {
   public:
    // deadline_factor: for phases that may take longer than others, and for those within them; 0
    // for one without a deadline.
    Phase(Watchdog& watchdog, std::string_view name, double deadline_factor = 1);
    ~Phase();
    Phase(const Phase&) = delete;
    Phase& operator=(const Phase&) = delete;

   private:
    Watchdog& watchdog_;
    int exceptions_;  // alive when the phase began
  };

  // "phase 'training > gradient exchange', task 2, step 117": the phases from the outermost to the
  // innermost, for messages. After an exception left some phases it still names them, until the
  // next phase begins. Empty at first.
  std::string position() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace palimpsest
