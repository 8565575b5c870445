// The program's table of settings: what it accepts, refuses and explains.
#include "palimpsest/method/settings.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/old_settings.h"
#include "support/config_file.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const Arguments kRequired = {"--pack=p.h5", "--protocol=q.json", "--backbone=b"};

RunConfig parse_with(const Arguments& more) {
  Arguments all = kRequired;
  all.insert(all.end(), more.begin(), more.end());
  return parse_run_config(all_settings(), all);
}

// The message of the UsageError that parsing ends in; fails the test when there is none.
std::string refusal(const Arguments& arguments) {
  try {
    parse_run_config(all_settings(), arguments);
  } catch (const UsageError& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "was accepted: " << testing::PrintToString(arguments);
  return "";
}

std::string refusal_with(const Arguments& more) {
  Arguments all = kRequired;
  all.insert(all.end(), more.begin(), more.end());
  return refusal(all);
}

TEST(Settings, EveryDefaultIsAllowed) {
  const RunConfig defaults;
  for (const Key& key : all_settings().keys) {
    RunConfig config;
    EXPECT_NO_THROW(set_value(config, key, value_text(defaults, key))) << key.name;
    EXPECT_EQ(config, defaults) << key.name;
  }
}

TEST(Settings, NameKeyValueAndWhatIsAllowed) {
  const struct {
    const char* key;
    const char* value;
    const char* allowed;
  } cases[] = {
      {"adapter", "lora:rank=0", "from 1 to 1e+09"},
      {"adapter", "lora:targets=key++value", "joined by +"},
      {"adapter", "lora:targets=typo", "query, key, value, output, fc1, fc2, gate, up or down"},
      {"perturbation", "sign:epsilon=0", "above 0, at most 1"},
      {"perturbation", "sign:epsilon=1.01", "above 0, at most 1"},
      {"perturbation", "uniform:epsilon=0.3", "has no key 'epsilon'; it has no keys"},
      {"merge", "closed", "closed-form"},
      {"merge", "averge", "did you mean 'average'?"},
      {"merge", "ema", "needs rate, a number from 0 to 1: ema:rate=0.5"},
      {"merge", "ema:rate=2", "a number from 0 to 1"},
      {"merge", "ties", "starts from the merged model. Train with --merge fixed:alpha=0"},
      {"merge", "magmax", "Train with --merge none"},
      {"classifier", "local:refit=yes", "a whole number from 0"},
      {"classifier", "ridge:refit=3", "has no key 'refit'"},
      {"classifier", "local:align=5", "none or gaussian"},
  };
  for (const auto& wrong : cases) {
    EXPECT_THAT(refusal_with({std::string("--") + wrong.key, wrong.value}),
                AllOf(HasSubstr(wrong.key), HasSubstr(wrong.allowed)));
  }
  EXPECT_EQ(
      refusal_with({"--adapter=lora:rank=0"}),
      "command line: adapter 'lora': rank = '0' is not possible: it takes a whole number from "
      "1 to 1e+09");
}

TEST(Settings, RefusesContradictions) {
  EXPECT_THAT(refusal_with({"--adapter=none"}),
              AllOf(HasSubstr("perturbation = sign"), HasSubstr("merge = closed-form")));
  EXPECT_THAT(refusal_with({"--adapter=none", "--perturbation=none", "--merge=average"}),
              HasSubstr("merge = average"));
  EXPECT_EQ(parse_with({"--adapter=none", "--perturbation=none", "--merge=none"}).adapter, "none");
  const Arguments neither = {"--merge=none", "--perturbation=none"};
  const auto with_neither = [&](Arguments more) {
    more.insert(more.end(), neither.begin(), neither.end());
    return more;
  };
  EXPECT_THAT(refusal_with(with_neither({"--head=prototype"})),
              AllOf(HasSubstr("adapter = lora"), HasSubstr("to none")));
  EXPECT_THAT(refusal_with(with_neither(
                  {"--head=prototype", "--adapter=none", "--classifier=local:align=gaussian"})),
              HasSubstr("set head to one that is trained"));
  EXPECT_THAT(refusal_with(with_neither(
                  {"--head=prototype", "--adapter=none", "--scenario=domain-incremental"})),
              HasSubstr("the same classes again"));
  EXPECT_THAT(refusal_with({"--joint"}),
              AllOf(HasSubstr("perturbation = sign"), HasSubstr("merge = closed-form")));
  EXPECT_THAT(refusal_with(with_neither({"--joint", "--classifier=local:align=gaussian"})),
              HasSubstr("classifier = local:align=gaussian aligns the heads of several tasks"));
  EXPECT_THAT(refusal_with({"--classifier=local:refit=3", "--merge=none"}),
              HasSubstr("nothing to refit"));
  EXPECT_THAT(refusal_with(with_neither({"--joint", "--scenario=task-incremental"})),
              HasSubstr("class-incremental"));
  EXPECT_NO_THROW(parse_with(with_neither({"--joint", "--head=prototype", "--adapter=none"})));
  EXPECT_THAT(refusal_with({"--fork=a", "--continue=b"}), HasSubstr("begins from one other run"));
  EXPECT_THAT(refusal_with({"--joint", "--continue=b", "--merge=none", "--perturbation=none"}),
              HasSubstr("joint = true learns all tasks at once"));
  EXPECT_THAT(refusal_with(with_neither({"--penalty=ewc", "--adapter=none"})),
              HasSubstr("a penalty needs an adapter"));
  for (const char* const augmentation : {"crop-flip-jitter", "rand-augment"}) {
    EXPECT_THAT(refusal_with(with_neither(
                    {"--adapter=none", std::string("--augmentation=") + augmentation})),
                AllOf(HasSubstr(augmentation), HasSubstr("set it to none")));
  }
  for (const char* const augmentation : {"none", "crop-flip"}) {
    EXPECT_NO_THROW(parse_with(
        with_neither({"--adapter=none", std::string("--augmentation=") + augmentation})));
  }
  EXPECT_THAT(refusal_with({"--perturbation=gaussian", "--precision=bf16"}),
              HasSubstr("set precision = fp32"));
}

TEST(Settings, JsonHasTypedValuesInTableOrder) {
  const auto json = nlohmann::ordered_json::parse(config_json(all_settings(), RunConfig(), true));
  EXPECT_EQ(json.size(), all_settings().keys.size());
  EXPECT_EQ(json.begin().key(), "pack");
  EXPECT_EQ(json["lr"], 1e-3);
  EXPECT_EQ(json["drop-last"], false);
  EXPECT_EQ(json["epochs"], 10);
  EXPECT_THAT(json["adapter"], StartsWith("lora:rank=10,alpha=10,targets=key+value"));
  EXPECT_THAT(json["classifier"], StartsWith("local:refit=0,align=none,normalise=false"));
  EXPECT_EQ(json["device"], "auto:threads=1,share=false,graphs=true");
}

TEST(Settings, OperationalSettingsStayOutOfTheRecordedJson) {
  const auto json = nlohmann::json::parse(config_json(all_settings(), RunConfig(), false));
  for (const char* const name : {"pack", "out", "resume", "progress", "dry-run"}) {
    EXPECT_FALSE(json.contains(name)) << name;
  }
  for (const char* const name : {"lanes", "device", "seed", "perturbation"}) {
    EXPECT_TRUE(json.contains(name)) << name;
  }
  EXPECT_EQ(json["device"], "auto:threads=1");
}

// What an earlier version recorded of a run with the defaults of then, which are those of now.
TEST(Settings, OldRecordsAreThoseOfToday) {
  const std::string recorded =
      R"({"seed":1,"scenario":"class-incremental","joint":false,"validation":0.0,"image-size":224,)"
      R"("pooling":"auto","normalisation":"backbone","interpolation":"auto","crop-share":0.0,)"
      R"("augmentation":"crop-flip","crop-scale-min":0.08,"colour-jitter":0.4,)"
      R"("rand-augment-operations":2,"rand-augment-magnitude":9.0,"epochs":10,)"
      R"("passes-per-epoch":1,"batch":256,"drop-last":false,"adapter":"lora","lora-rank":10,)"
      R"("lora-alpha":10.0,"lora-targets":["key","value"],"lr":0.001,"head-lr":0.01,)"
      R"("weight-decay":0.0,"schedule":"cosine","milestones":[0.5,0.8],"milestone-factor":0.1,)"
      R"("warmup-steps":0,"clip-norm":0.0,"nonfinite":"stop","nonfinite-limit":10,)"
      R"("objective":"classes","perturbation":"sign","epsilon":0.5,"penalty":"none","ewc":0.0,)"
      R"("merge":"closed-form","curvature":"empirical","fisher-scale":"secant",)"
      R"("error-budget":true,"head":"linear","head-scale":16.0,"classifier":"local",)"
      R"("head-refit":false,"head-refit-epochs":20,"head-align":false,"head-align-epochs":5,)"
      R"("lanes":"4","device":"auto","threads":1,"precision":"fp32","evaluation-batch":64})";
  const auto today = nlohmann::json::parse(with_todays_settings(recorded));
  EXPECT_EQ(today, nlohmann::json::parse(config_json(all_settings(), RunConfig(), false)));
  EXPECT_THAT(config_differences(all_settings(), recorded, RunConfig()), testing::IsEmpty());
  RunConfig config;
  config.adapter = "lora:rank=4";
  EXPECT_THAT(config_differences(all_settings(), recorded, config),
              testing::ElementsAre(AllOf(HasSubstr("adapter: recorded \"lora:rank=10,alpha=10"),
                                         HasSubstr("now \"lora:rank=4,alpha=10"))));
  take_recorded(all_settings(), recorded, config);
  EXPECT_EQ(config, RunConfig());
}

// As of a kind that got the key later.
TEST(Settings, AKeyThatARecordLacksHasItsDefault) {
  const std::string recorded =
      R"({"objective":"classes","adapter":"lora:rank=10,alpha=10,targets=key+value,a=kaiming",)"
      R"("image-transform":"resize-crop:size=224,crop=0,interpolation=auto,)"
      R"(normalisation=backbone"})";
  EXPECT_THAT(config_differences(all_settings(), recorded, RunConfig()), testing::IsEmpty());
  RunConfig config;
  config.objective = "classes:temperature=30";
  EXPECT_THAT(config_differences(all_settings(), recorded, config),
              testing::ElementsAre(HasSubstr("objective: ")));
  take_recorded(all_settings(), recorded, config);
  EXPECT_EQ(config, RunConfig());
}

// What isn't measured is no obstacle to a resume.
TEST(Settings, ACurvatureWithoutAMeaningDoesNotDiffer) {
  RunConfig config = parse_with({"--merge=average", "--curvature=empirical:scale=none"});
  const std::string recorded = config_json(all_settings(), config, false);
  config.curvature = "gram";
  EXPECT_THAT(config_differences(all_settings(), recorded, config), testing::IsEmpty());
  config.penalty = "ewc";
  EXPECT_THAT(config_differences(all_settings(), recorded, config),
              testing::ElementsAre(HasSubstr("penalty: "), HasSubstr("curvature: ")));
}

// Also of kinds that aren't the default.
TEST(Settings, OldSettingsOfEveryKindAreItsKeysOfToday) {
  for (const char* const text :
       {R"({"augmentation":"crop-flip-jitter","colour-jitter":0.4})",
        R"({"augmentation":"rand-augment","rand-augment-magnitude":9.0})",
        R"({"schedule":"multistep","warmup-steps":0})",
        R"({"schedule":"constant","milestones":[]})",
        R"({"nonfinite":"skip","nonfinite-limit":10})", R"({"adapter":"none","lora-rank":10})",
        R"({"perturbation":"stratified","epsilon":0.5})",
        R"({"perturbation":"uniform","epsilon":1})", R"({"head":"cosine","head-scale":16.0})",
        R"({"head":"prototype","head-scale":16.0})",
        R"({"curvature":"gram","fisher-scale":"secant"})", R"({"ewc":1.0})",
        R"({"classifier":"ridge","head-refit":false})", R"({"progress":"plain","log-every":50})"}) {
    const auto today = nlohmann::json::parse(with_todays_settings(text));
    for (const auto& [name, value] : today.items()) {
      if (name == "device") continue;  // without its operational keys
      RunConfig config;
      const Key& key = *find_key(all_settings(), name);
      set_value(config, key, value.get<std::string>());
      EXPECT_EQ(value_text(config, key), value) << text;
    }
  }
}

TEST(Settings, PassesThatCannotBeCountedAreRefused) {
  EXPECT_NO_THROW(parse_with({"--epochs=31622", "--passes-per-epoch=31622"}));
  EXPECT_THAT(refusal_with({"--epochs=1000000000", "--passes-per-epoch=1000000000"}),
              AllOf(HasSubstr("are 1000000000000000000 passes"), HasSubstr("at most 1000000000")));
}

TEST(Settings, HelpExplainsEveryKeyWithin100Columns) {
  const std::string help = config_help(all_settings());
  for (const Key& key : all_settings().keys) {
    EXPECT_THAT(help, HasSubstr("--" + std::string(key.name) + " ")) << key.name;
    const bool is_path = key.type == Type::kText;
    EXPECT_THAT(help, HasSubstr(is_path ? " PATH" : allowed(key))) << key.name;
  }
  EXPECT_THAT(help, HasSubstr("\nThe method, by parts\n"));
  EXPECT_THAT(help, HasSubstr("\n" + std::string(27, ' ') + "*share=true or false"));
  EXPECT_THAT(help, HasSubstr("\n" + std::string(28, ' ') + "threads=a whole number"));
  EXPECT_THAT(help, HasSubstr("different words of query, key, value, output, fc1, fc2"));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

TEST(Settings, TheShortHelpHasTwentySettingsOnOneScreenOrTwo) {
  const std::string help = short_config_help(all_settings());
  std::size_t settings = 0;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    settings += line.starts_with("  --") || line.starts_with(" *--") ? 1 : 0;
  }
  EXPECT_EQ(settings, 20u);
  EXPECT_THAT(help,
              AllOf(HasSubstr("--help all"), HasSubstr("--batch N"), HasSubstr("--merge KIND")));
}

TEST(Settings, TheHelpOfOneSettingHasItsKindsAndAnExample) {
  const std::string help = setting_help(all_settings(), "merge");
  EXPECT_THAT(help, AllOf(HasSubstr("closed-form"), HasSubstr("by=global"), HasSubstr("rate="),
                          HasSubstr("--config FILE --merge closed-form:by=global,shrink=0\n")));
  EXPECT_THAT(setting_help(all_settings(), "--lr"), HasSubstr("'lr = "));
  EXPECT_THAT([] { setting_help(all_settings(), "bacth"); },
              testing::ThrowsMessage<UsageError>(HasSubstr("did you mean 'batch'?")));
}

TEST(Settings, WhatOtherProgramsCallASettingNamesIt) {
  for (const auto& [theirs, ours] : {std::pair("--batch-size=8", "write --batch N"),
                                     {"--learning_rate=0.1", "--lr X"},
                                     {"--output-dir=x", "--out FOLDER"},
                                     {"--bf16", "--precision bf16"},
                                     {"--per_device_eval_batch_size=8", "--evaluation-batch N"},
                                     {"--max-grad-norm=1", "--clip-norm X"},
                                     {"--gradient-checkpointing", "--activation-checkpointing"},
                                     {"--num-epochs=3", "--epochs N"}})
    EXPECT_THAT(refusal({theirs}), HasSubstr(ours)) << theirs;
}

TEST(Settings, HelpMarksWhatIsNotInThePaper) {
  for (const char* const name : {"passes-per-epoch", "validation", "error-budget"}) {
    std::string help(find_key(all_settings(), name)->help);
    std::replace(help.begin(), help.end(), '\n', ' ');
    EXPECT_THAT(help, testing::ContainsRegex("[Nn]ot in the paper")) << name;
  }
  for (const auto& [name, key] : {std::pair("classifier", "refit"),
                                  {"classifier", "align"},
                                  {"classifier", "normalise"},
                                  {"curvature", "scale"}}) {
    const Kind& kind = find_key(all_settings(), name)->kinds->kinds.front();
    const auto row = std::ranges::find(kind.keys, key, &SettingSpec::name);
    EXPECT_THAT(std::string(row->help),
                testing::ContainsRegex("not in the paper|Not in the paper"));
  }
}

// Every setting is taken by a verb or refused by it, by name; a file may contain it anyway.
class Verbs : public ConfigFile {};

TEST_F(Verbs, RefuseOnTheCommandLineWhatHasNoMeaningInThem) {
  std::size_t refused = 0;
  for (const std::string_view verb : {"plan", "doctor", "eval", "predict", "generate"}) {
    for (const Key& key : all_settings().keys) {
      const std::string value = value_text(RunConfig(), key);
      const Arguments given = {concat("--", key.name, "=", value.empty() ? "x" : value)};
      if (is_taken_by(key, verb)) {
        EXPECT_NO_THROW(parse_settings(all_settings(), given, {}, verb)) << key.name;
        EXPECT_THAT(verb_settings_help(all_settings(), verb), HasSubstr(concat(" --", key.name)));
        continue;
      }
      ++refused;
      try {
        parse_settings(all_settings(), given, {}, verb);
        ADD_FAILURE() << verb << " accepts --" << key.name;
      } catch (const UsageError& error) {
        EXPECT_THAT(error.what(),
                    HasSubstr(concat("--", key.name, " has no meaning in palimpsest ", verb)));
      }
      const std::string& file =
          write(concat(key.name, " = ", value.empty() ? "x" : value, "\nhang-seconds = 3\n"));
      EXPECT_EQ(parse_settings(all_settings(), Arguments{"--config", file}, {}, verb).hang_seconds,
                3)
          << key.name;
    }
  }
  EXPECT_GT(refused, 100u);
  for (const std::string_view name :
       {"stop-after", "resume", "checkpoint-every", "dry-run", "fork"})
    for (const std::string_view verb : {"plan", "doctor", "eval", "predict", "generate"})
      EXPECT_THROW(parse_settings(all_settings(), Arguments{concat("--", name, "=1")}, {}, verb),
                   UsageError);
}

}  // namespace
}  // namespace palimpsest
