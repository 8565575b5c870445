#pragma once
// What the command line tools share: one way out for every error.
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/home_folder.h"
#include "palimpsest/core/process.h"

namespace palimpsest {

// Runs `body` on the command line, home folders put in (with_home_folders()). It returns an exit
// code; an exception becomes a message and its code. A signal ends the program at once, with
// nothing half written.
template <typename Body>
int run_tool(const char* name, int count, char** values, const Body& body) {
  end_on_signals(name);
  try {
    std::vector<std::string> words = with_home_folders({values, values + count});
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    return body(count, pointers.data());
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
