// Every configuration comes back from its text as it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "palimpsest/method/settings.h"
#include "support/config_file.h"

namespace palimpsest {
namespace {

// A valid value for any key.
struct RandomValue {
  std::mt19937_64& random;
  const Key& key;

  double between(double low, double high) const {
    const double value = std::uniform_real_distribution<double>(low, high)(random);
    return value == low && key.above_minimum ? high : value;
  }
  double number() const { return between(key.minimum, std::min(key.maximum, key.minimum + 1000)); }
  std::string text() const {
    const char* const ends[] = {"", "#2", " #2", "'s", "\"a\"", "$HOME", "~", ",", " ; a", "\\"};
    return "t/" + std::to_string(random() % 1000) + " =x y.h5" + ends[random() % std::size(ends)];
  }

  std::string rule() const {
    const char* const rules[] = {"closed-form",       "closed-form:by=direction,shrink=0.25",
                                 "average",           "ema:rate=0.1",
                                 "fixed:alpha=1e-05", "none"};
    return rules[random() % std::size(rules)];
  }

  bool operator()(bool RunConfig::*) const { return random() % 2 == 0; }
  std::int64_t operator()(std::int64_t RunConfig::*) const {
    return static_cast<std::int64_t>(number());
  }
  std::uint64_t operator()(std::uint64_t RunConfig::*) const { return random(); }
  double operator()(double RunConfig::*) const { return number(); }
  std::string operator()(std::string RunConfig::*) const {
    if (key.read != nullptr) return rule();
    if (key.choices.empty()) return text();
    if (key.minimum < key.maximum && random() % 2 == 0) return std::to_string(1 + random() % 99);
    return std::string(key.choices[random() % key.choices.size()]);
  }
  std::vector<double> operator()(std::vector<double> RunConfig::*) const {
    std::vector<double> rising;
    for (double at = between(0.001, 0.3); at <= 1; at += between(0.01, 0.5)) rising.push_back(at);
    if (random() % 4 == 0) rising.clear();
    return rising;
  }
  std::vector<std::string> operator()(std::vector<std::string> RunConfig::*) const {
    std::vector<std::string> names = {"query", "key", "value"};
    names.resize(1 + random() % 3);
    return names;
  }
};

RunConfig random_config(std::mt19937_64& random) {
  RunConfig config;
  for (const Key& key : all_settings().keys) {
    std::visit([&](auto member) { config.*member = RandomValue{random, key}(member); }, key.member);
  }
  if (config.adapter == "none" || config.joint) config.merge = config.perturbation = "none";
  if (config.merge == "none") config.head_refit = false;
  (random() % 2 == 0 ? config.fork : config.continue_from).clear();
  if (!config.continue_from.empty()) config.joint = false;
  if (config.joint && config.scenario == "task-incremental") config.scenario = "class-incremental";
  const bool same_classes = config.scenario == "domain-incremental";
  if (config.adapter != "none" || same_classes) config.head = "cosine";
  if (config.head == "prototype" || config.joint || same_classes) config.head_align = false;
  if (config.adapter == "none") {
    config.ewc = 0;
    config.augmentation = "none";
  }
  if (config.perturbation == "uniform") config.epsilon = RunConfig().epsilon;
  if (config.perturbation == "gaussian") config.precision = "fp32";
  return config;
}

TEST_F(ConfigFile, PrintedConfigurationParsesBackToTheSame) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 300; ++trial) {
    const RunConfig config = random_config(random);
    const std::string printed = print_config(all_settings(), config);
    ASSERT_EQ(parse_run_config(all_settings(), Arguments{"--config", write(printed)}), config)
        << printed;
  }
}

TEST(Settings, CommandLineOfAllSettingsParsesBackToTheSame) {
  std::mt19937_64 random(4);
  for (int trial = 0; trial < 300; ++trial) {
    const RunConfig config = random_config(random);
    Arguments arguments;
    for (const Key& key : all_settings().keys) {
      arguments.push_back("--" + std::string(key.name));
      arguments.push_back(value_text(config, key));
    }
    ASSERT_EQ(parse_run_config(all_settings(), arguments), config);
  }
}

TEST_F(ConfigFile, FileAndCommandLineMeanTheSame) {
  setenv("HOME", "/home/me", 1);
  const std::vector<std::string> files = {"--pack=p", "--protocol=q", "--backbone=b"};
  for (const auto& [written, value] :
       std::vector<std::pair<std::string, std::string>>{{"~/x", "/home/me/x"},
                                                        {"~", "/home/me"},
                                                        {"runs/exp#2", "runs/exp#2"},
                                                        {"./~/x", "./~/x"}}) {
    Arguments by_file = files, by_line = files;
    by_file.insert(by_file.end(), {"--config", write("out = " + written + "\n")});
    by_line.push_back("--out=" + written);
    EXPECT_EQ(parse_run_config(all_settings(), by_file).out, value);
    EXPECT_EQ(parse_run_config(all_settings(), by_line), parse_run_config(all_settings(), by_file));
  }
  EXPECT_EQ(parse_settings(all_settings(), Arguments{"--weight-decay=-0"}), RunConfig());
  EXPECT_FALSE(
      std::signbit(parse_settings(all_settings(), Arguments{"--weight-decay=-0"}).weight_decay));
}

TEST(Settings, NoTwoKeysShareNameOrMember) {
  for (const Key& one : all_settings().keys) {
    for (const Key& other : all_settings().keys) {
      if (&one == &other) continue;
      EXPECT_NE(one.name, other.name);
      EXPECT_FALSE(one.member == other.member) << one.name << " and " << other.name;
    }
  }
}

TEST(Settings, EveryShippedConfigurationParses) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PALIMPSEST_SOURCE_DIR) + "/configs")) {
    if (entry.path().extension() != ".cfg") continue;
    EXPECT_NO_THROW(parse_run_config(all_settings(), Arguments{"--config", entry.path()}))
        << entry.path();
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace palimpsest
