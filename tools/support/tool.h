#pragma once
// What the command line tools share: one way out for every error.
#include <cstdio>
#include <exception>
#include <string_view>

#include "palimpsest/core/end_by_signal.h"
#include "palimpsest/core/error.h"

namespace palimpsest {

// Runs `body`, which returns an exit code, and turns an exception into a message and its code. A
// signal ends the program at once, with nothing half written.
template <typename Body>
int run_tool(const char* name, const Body& body) {
  end_on_signals(name);
  try {
    return body();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return static_cast<int>(ExitCode::kFailed);
  }
}

inline void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error("standard output could not be written");
  }
}

}  // namespace palimpsest
