#pragma once
// A .cfg file that goes with its test.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace palimpsest {

using Arguments = std::vector<std::string>;

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() : path_(testing::TempDir() + "palimpsest_" + std::to_string(getpid()) + ".cfg") {}
  ~ConfigFile() override { std::filesystem::remove(path_); }

  const std::string& write(const std::string& text) const {
    std::ofstream(path_) << text;
    return path_;
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace palimpsest
