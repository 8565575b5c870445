// The program's table of settings: what it accepts, refuses and explains.
#include "palimpsest/method/settings.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "support/config_file.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

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
      {"lora-rank", "0", "from 1 to 1e+09"},
      {"epsilon", "0", "above 0, at most 1"},
      {"epsilon", "1.01", "above 0, at most 1"},
      {"merge", "closed", "closed-form"},
      {"merge", "averge", "did you mean 'average'?"},
      {"merge", "ema", "needs rate, a number from 0 to 1: ema:rate=0.5"},
      {"merge", "ema:rate=2", "a number from 0 to 1"},
      {"merge", "ties", "starts from the merged model; --merge fixed:alpha=0"},
      {"merge", "magmax", "--merge none trains that way"},
      {"head-refit", "yes", "true or false"},
      {"lora-targets", "key,,value", "names, comma-separated"},
      {"lora-targets", "", "at least one"},
  };
  for (const auto& wrong : cases) {
    const std::string named = std::string(wrong.key) + " = '" + wrong.value + "'";
    EXPECT_THAT(refusal_with({std::string("--") + wrong.key, wrong.value}),
                AllOf(HasSubstr(named), HasSubstr(wrong.allowed)));
  }
}

TEST(Settings, RefusesContradictions) {
  EXPECT_THAT(refusal_with({"--adapter=none"}),
              AllOf(HasSubstr("perturbation = sign"), HasSubstr("merge = closed-form")));
  EXPECT_THAT(refusal_with({"--adapter=none", "--perturbation=none", "--merge=average"}),
              HasSubstr("merge = average"));
  EXPECT_EQ(parse_with({"--adapter=none", "--perturbation=none", "--merge=none"}).adapter, "none");
  EXPECT_THAT(refusal_with({"--head-refit", "--merge=none"}), HasSubstr("nothing to refit"));
  const Arguments neither = {"--merge=none", "--perturbation=none"};
  const auto with_neither = [&](Arguments more) {
    more.insert(more.end(), neither.begin(), neither.end());
    return more;
  };
  EXPECT_THAT(refusal_with(with_neither({"--head=prototype"})),
              AllOf(HasSubstr("adapter = lora"), HasSubstr("to none")));
  EXPECT_THAT(refusal_with(with_neither({"--head=prototype", "--adapter=none", "--head-align"})),
              HasSubstr("set head to one that is trained"));
  EXPECT_THAT(refusal_with(with_neither(
                  {"--head=prototype", "--adapter=none", "--scenario=domain-incremental"})),
              HasSubstr("the same classes again"));
  EXPECT_THAT(refusal_with({"--joint"}),
              AllOf(HasSubstr("perturbation = sign"), HasSubstr("merge = closed-form")));
  EXPECT_THAT(refusal_with(with_neither({"--joint", "--head-align"})), HasSubstr("one for all"));
  EXPECT_THAT(refusal_with(with_neither({"--joint", "--classifier=local:align=3"})),
              HasSubstr("classifier = local:align=3 aligns the heads of several tasks"));
  EXPECT_THAT(refusal_with({"--classifier=local:refit=3", "--merge=none"}),
              HasSubstr("nothing to refit"));
  for (const char* const trained : {"--head-refit", "--head-align"})
    EXPECT_THAT(refusal_with({"--classifier=ridge", trained}), HasSubstr("classifier = ridge"));
  EXPECT_THAT(refusal_with(with_neither({"--joint", "--scenario=task-incremental"})),
              HasSubstr("class-incremental"));
  EXPECT_NO_THROW(parse_with(with_neither({"--joint", "--head=prototype", "--adapter=none"})));
  EXPECT_THAT(refusal_with({"--fork=a", "--continue=b"}), HasSubstr("begins from one other run"));
  EXPECT_THAT(refusal_with({"--joint", "--continue=b", "--merge=none", "--perturbation=none"}),
              HasSubstr("joint = true learns all tasks at once"));
  EXPECT_THAT(refusal_with({"--ewc=1", "--adapter=none", "--merge=none", "--perturbation=none"}),
              HasSubstr("a penalty needs an adapter"));
  EXPECT_THAT(refusal_with(with_neither({"--penalty=ewc", "--adapter=none"})),
              HasSubstr("a penalty needs an adapter"));
  EXPECT_THAT(refusal_with({"--ewc=1", "--penalty=ewc"}), HasSubstr("leave one of them out"));
  for (const char* const augmentation : {"crop-flip-jitter", "rand-augment"}) {
    EXPECT_THAT(refusal_with(with_neither(
                    {"--adapter=none", std::string("--augmentation=") + augmentation})),
                AllOf(HasSubstr(augmentation), HasSubstr("set it to none")));
  }
  for (const char* const augmentation : {"none", "crop-flip"}) {
    EXPECT_NO_THROW(parse_with(
        with_neither({"--adapter=none", std::string("--augmentation=") + augmentation})));
  }
  EXPECT_THAT(refusal_with({"--perturbation=uniform", "--epsilon=0.3"}), HasSubstr("no epsilon"));
  EXPECT_THAT(
      refusal_with({"--perturbation=sign:epsilon=0.3", "--epsilon=0.2"}),
      HasSubstr("epsilon is given twice, as epsilon=0.3 and by a setting of its own as 0.2"));
  EXPECT_NO_THROW(parse_with({"--perturbation=sign:epsilon=0.3", "--epsilon=0.3"}));
  EXPECT_THAT(refusal_with({"--perturbation=gaussian", "--precision=bf16"}),
              HasSubstr("set precision = fp32"));
}

TEST(Settings, JsonHoldsTypedValuesInTableOrder) {
  const auto json = nlohmann::ordered_json::parse(config_json(all_settings(), RunConfig(), true));
  EXPECT_EQ(json.size(), all_settings().keys.size());
  EXPECT_EQ(json.begin().key(), "pack");
  EXPECT_EQ(json["lr"], 1e-3);
  EXPECT_EQ(json["head-refit"], false);
  EXPECT_EQ(json["lora-targets"], nlohmann::ordered_json({"key", "value"}));
}

TEST(Settings, OperationalSettingsStayOutOfTheRecordedJson) {
  const auto json = nlohmann::json::parse(config_json(all_settings(), RunConfig(), false));
  for (const char* const name : {"pack", "out", "resume", "progress", "log-every", "dry-run"}) {
    EXPECT_FALSE(json.contains(name)) << name;
  }
  for (const char* const name : {"lanes", "device", "seed", "epsilon"}) {
    EXPECT_TRUE(json.contains(name)) << name;
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
    const bool is_path = allowed(key) == "text";
    EXPECT_THAT(help, HasSubstr(is_path ? " PATH" : allowed(key))) << key.name;
  }
  EXPECT_THAT(help, HasSubstr("\nPerturb, and merge\n"));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

TEST(Settings, HelpMarksWhatIsNotInThePaper) {
  for (const char* const name :
       {"head-refit", "fisher-scale", "passes-per-epoch", "validation", "error-budget"}) {
    std::string help(find_key(all_settings(), name)->help);
    std::replace(help.begin(), help.end(), '\n', ' ');
    EXPECT_THAT(help, testing::ContainsRegex("[Nn]ot in the paper")) << name;
  }
}

// Every setting is taken by a verb or refused by it, by name; a file may hold it all the same.
class Verbs : public ConfigFile {};

TEST_F(Verbs, RefuseOnTheCommandLineWhatHasNoMeaningInThem) {
  std::size_t refused = 0;
  for (const std::string_view verb : {"plan", "doctor", "eval", "predict"}) {
    for (const Key& key : all_settings().keys) {
      const std::string value = value_text(RunConfig(), key);
      const Arguments given = {concat("--", key.name, "=", value.empty() ? "x" : value)};
      if (is_taken_by(key, verb)) {
        EXPECT_NO_THROW(parse_settings(all_settings(), given, {}, verb)) << key.name;
        EXPECT_THAT(settings_of_verb_help(all_settings(), verb),
                    HasSubstr(concat(" --", key.name)));
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
          write(concat(key.name, " = ", value.empty() ? "x" : value, "\nthreads = 3\n"));
      EXPECT_EQ(parse_settings(all_settings(), Arguments{"--config", file}, {}, verb).threads, 3)
          << key.name;
    }
  }
  EXPECT_GT(refused, 100u);
  for (const std::string_view name :
       {"stop-after", "resume", "checkpoint-every", "dry-run", "fork"})
    for (const std::string_view verb : {"plan", "doctor", "eval", "predict"})
      EXPECT_THROW(parse_settings(all_settings(), Arguments{concat("--", name, "=1")}, {}, verb),
                   UsageError);
}

}  // namespace
}  // namespace palimpsest
