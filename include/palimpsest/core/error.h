#pragma once
// Errors say what was expected, what was found, where, and what to do. Their class decides the exit
// code.
#include <stdexcept>
#include <string>

namespace palimpsest {

enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kBadInput = 3,
  kDiverged = 4,
  kRankLost = 5,
  kRequeue = 85,  // stopped on request with its state saved: submit the same line again
};

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::kFailed)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// The command line or the configuration is wrong.
struct UsageError : Error {
  explicit UsageError(const std::string& message) : Error(message, ExitCode::kUsage) {}
};

// A file that was read is wrong: damaged, of another kind, or not fitting the others.
struct InputError : Error {
  explicit InputError(const std::string& message) : Error(message, ExitCode::kBadInput) {}
};

// A file that cannot be locked for reading: another program has it open, or its file system has no
// locks. It may be whole.
struct LockedFileError : InputError {
  using InputError::InputError;
};

// Training produced a number that is not finite.
struct DivergedError : Error {
  explicit DivergedError(const std::string& message) : Error(message, ExitCode::kDiverged) {}
};

// Another rank is gone, or does not answer in time.
struct RankLostError : Error {
  explicit RankLostError(const std::string& message) : Error(message, ExitCode::kRankLost) {}
};

}  // namespace palimpsest
