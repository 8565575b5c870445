// Every configuration comes back from its text as it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "palimpsest/core/error.h"
#include "palimpsest/method/method.h"
#include "palimpsest/method/settings.h"
#include "support/config_file.h"
#include "support/kinds.h"

namespace palimpsest {
namespace {

// A valid value for any row.
std::string random_text(std::mt19937_64& random, const SettingSpec& row) {
  const auto between = [&](double low, double high) {
    const double value = std::uniform_real_distribution<double>(low, high)(random);
    return value == low && row.above_minimum ? high : value;
  };
  const auto random_choice = [&](const auto& texts) {
    return std::string(texts[random() % std::size(texts)]);
  };
  const double number = between(row.minimum, std::min(row.maximum, row.minimum + 1000));
  switch (row.type) {
    case Type::kNumber:
      return value_text(number);
    case Type::kWhole:
      if (!row.choices.empty() && random() % 2 == 0) return random_choice(row.choices);
      if (std::isinf(row.maximum)) return value_text(std::uint64_t{random()});
      return value_text(static_cast<std::uint64_t>(number));
    case Type::kSwitch:
      return random() % 2 == 0 ? "true" : "false";
    case Type::kWord:
      return random_choice(row.choices);
    case Type::kWords:
      return random_choice(std::vector<std::string>{"query", "query+key", "query+key+value"});
    case Type::kNumbers: {
      std::vector<double> rising;
      for (double at = between(0.001, 0.3); at <= 1; at += between(0.01, 0.5)) rising.push_back(at);
      if (random() % 4 == 0) rising.clear();
      return value_text(rising);
    }
    case Type::kText: {
      const char* const ends[] = {"", "#2", " #2", "'s", "\"a\"", "$HOME", "~", ",", " ; a", "\\"};
      return "t/" + std::to_string(random() % 1000) + " =x y.h5" + random_choice(ends);
    }
    case Type::kKind:
      break;
  }
  while (true) {
    const Kind& kind = row.kinds->kinds[random() % row.kinds->kinds.size()];
    std::string text = standard_text(kind);
    for (const SettingSpec& key : kind.keys) {
      if (!key.default_value || random() % 2 == 0) continue;
      text += concat(text.find(':') == std::string::npos ? ':' : ',', key.name, '=',
                     random_text(random, key));
    }
    try {
      return value_text(read_value(row, text));
    } catch (const UsageError&) {  // a merge rule for another training
    }
  }
}

RunConfig random_config(std::mt19937_64& random) {
  RunConfig config;
  for (const Key& key : all_settings().keys) set_value(config, key, random_text(random, key));
  const bool trains_weights = adapters().make(config.adapter)->learns(0).any();
  if (!trains_weights || config.joint) config.merge = config.perturbation = "none";
  (random() % 2 == 0 ? config.fork : config.continue_from).clear();
  if (!config.continue_from.empty()) config.joint = false;
  if (config.joint && config.scenario == Scenario::kTaskIncremental)
    config.scenario = Scenario::kClassIncremental;
  bool same_classes = shares_head(config.scenario);
  const bool predicts = objectives().make(config.objective)->predicts_tokens();
  if (predicts) {
    config.head = "output";
    config.classifier = "none";
    config.scenario = Scenario::kClassIncremental;
    if (curvatures().make(config.curvature)->needs_logits()) config.curvature = "empirical";
    same_classes = false;
  }
  const auto head_weights = [&] { return head_kinds().make(config.head)->weights(); };
  if (!predicts && ((trains_weights || same_classes) ? head_weights() != HeadWeights::kTrained
                                                     : head_weights() == HeadWeights::kOfBackbone))
    config.head = "cosine";
  if (!predicts && key_in(config.classifier, "align") == "gaussian" &&
      key_in(config.classifier, "normalise") == "true")
    config.classifier = "local";
  if (!predicts && !classifiers().make(config.classifier)->compares_classes())
    config.classifier = "local";
  const auto classifier = classifiers().make(config.classifier);
  const bool aligns_nothing =
      head_weights() != HeadWeights::kTrained || config.joint || same_classes;
  if ((classifier->refits_heads() && !make_merge_rule(config.merge)->changes_trained()) ||
      (classifier->aligns_heads() && aligns_nothing)) {
    config.classifier = "local";
  }
  if (!trains_weights) {
    config.penalty = "none";
    config.augmentation = {.kind = Augmentation::Kind::kNone};
  }
  if (perturbations().make(config.perturbation)->noise_size() > 0)
    config.precision = Precision::kFp32;
  try {
    objectives().make(config.objective)->check(*head_kinds().make(config.head));
  } catch (const UsageError&) {
    config.objective = "classes";
  }
  return config;
}

TEST_F(ConfigFile, PrintedConfigurationParsesBackToTheSame) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 300; ++trial) {
    const RunConfig config = with_absolute_paths(all_settings(), random_config(random));
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
    // A relative path starts at the file, or at the working folder.
    const auto in_folder = std::filesystem::path(path()).parent_path() / value;
    EXPECT_EQ(parse_run_config(all_settings(), by_file).out, in_folder.lexically_normal());
    EXPECT_EQ(parse_run_config(all_settings(), by_line).out, value);
  }
  EXPECT_EQ(parse_settings(all_settings(), Arguments{"--weight-decay=-0"}), RunConfig());
  EXPECT_FALSE(
      std::signbit(parse_settings(all_settings(), Arguments{"--weight-decay=-0"}).weight_decay));
}

// Each row changes its own member.
TEST(Settings, NoTwoKeysShareNameOrMember) {
  std::mt19937_64 random(5);
  for (const Key& one : all_settings().keys) {
    RunConfig config;
    while (value_text(config, one) == value_text(RunConfig(), one))
      set_value(config, one, random_text(random, one));
    for (const Key& other : all_settings().keys) {
      if (&one == &other) continue;
      EXPECT_NE(one.name, other.name);
      EXPECT_EQ(value_text(config, other), value_text(RunConfig(), other))
          << one.name << " and " << other.name;
    }
  }
}

TEST(Settings, EveryShippedConfigurationParses) {
  int count = 0;
  for (const char* const folder : {"/configs", "/configs/methods"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(PALIMPSEST_SOURCE_DIR) + folder)) {
      if (entry.path().extension() != ".cfg") continue;
      EXPECT_NO_THROW(parse_settings(all_settings(), Arguments{"--config", entry.path()}))
          << entry.path();
      ++count;
    }
  }
  EXPECT_GT(count, 20);
}

}  // namespace
}  // namespace palimpsest
