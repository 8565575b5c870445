// Every configuration comes back from its text as it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>

#include "palimpsest/core/error.h"
#include "palimpsest/method/method.h"
#include "palimpsest/method/settings.h"
#include "support/config_file.h"
#include "support/kinds.h"

namespace palimpsest {
namespace {

const std::map<std::string_view, const KindTable*> kPartTables = {
    {"adapter", &adapters()},  {"perturbation", &perturbations()}, {"objective", &objectives()},
    {"head", &head_kinds()},   {"penalty", &penalties()},          {"curvature", &curvatures()},
    {"merge", &merge_rules()}, {"classifier", &classifiers()}};

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

  // Of a part: as a file of settings would have it after it was read.
  std::string kind() const {
    const KindTable& table = *kPartTables.at(key.name);
    while (true) {
      const Kind& kind = table.kinds[random() % table.kinds.size()];
      std::string text = standard_text(kind);
      for (const Parameter& parameter : kind.parameters) {
        if (!parameter.standard || random() % 2 == 0) continue;
        const std::vector<std::string> values = some_values(parameter);
        text += concat(text.find(':') == std::string::npos ? ':' : ',', parameter.name, '=',
                       values[random() % values.size()]);
      }
      try {
        return key.read(text);
      } catch (const UsageError&) {  // a merge rule for another training
      }
    }
  }

  bool operator()(bool RunConfig::*) const { return random() % 2 == 0; }
  std::int64_t operator()(std::int64_t RunConfig::*) const {
    return static_cast<std::int64_t>(number());
  }
  std::uint64_t operator()(std::uint64_t RunConfig::*) const { return random(); }
  double operator()(double RunConfig::*) const { return number(); }
  std::string operator()(std::string RunConfig::*) const {
    if (key.read != nullptr) return kind();
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
  // A key is given once: in the part's text, or by a setting of its own.
  const RunConfig standard;
  if (config.adapter.find(':') != std::string::npos) {
    config.lora_rank = standard.lora_rank;
    config.lora_alpha = standard.lora_alpha;
  }
  if (config.perturbation.find(':') != std::string::npos) config.epsilon = standard.epsilon;
  if (config.head.find(':') != std::string::npos) config.head_scale = standard.head_scale;
  if (config.curvature.find(':') != std::string::npos) config.fisher_scale = standard.fisher_scale;
  if (config.classifier.find(':') != std::string::npos)
    config.head_refit = config.head_align = false;
  const bool trains_weights = make_adapter(config)->learns(0).any();
  if (!trains_weights || config.joint) config.merge = config.perturbation = "none";
  (random() % 2 == 0 ? config.fork : config.continue_from).clear();
  if (!config.continue_from.empty()) config.joint = false;
  if (config.joint && config.scenario == "task-incremental") config.scenario = "class-incremental";
  const bool same_classes = config.scenario == "domain-incremental";
  if ((trains_weights || same_classes) && !make_head_kind(config)->is_trained())
    config.head = "cosine";
  const auto classifier = make_classifier(config);
  const bool aligns_nothing = !make_head_kind(config)->is_trained() || config.joint || same_classes;
  if ((classifier->refits_heads() && !make_merge_rule(config.merge)->changes_trained()) ||
      (classifier->aligns_heads() && aligns_nothing)) {
    config.head_refit = config.head_align = false;
    config.classifier = "local";
  }
  config.head_refit = config.head_refit && make_classifier(config)->refits_heads();
  config.head_align = config.head_align && make_classifier(config)->aligns_heads();
  if (config.ewc > 0) config.penalty = "none";
  if (!trains_weights) {
    config.ewc = 0;
    config.penalty = "none";
    config.augmentation = "none";
  }
  if (!has_parameter(perturbations(), config.perturbation, "epsilon"))
    config.epsilon = RunConfig().epsilon;
  if (make_perturbation(config)->noise_size() > 0) config.precision = "fp32";
  try {
    make_objective(config)->check(*make_head_kind(config));
  } catch (const UsageError&) {
    config.objective = "classes";
  }
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
