// What the table of settings accepts, refuses, explains and gives back.
#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config_file.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Arguments kRequired = {"--pack=p.h5", "--protocol=q.json", "--backbone=b"};

RunConfig parse_with(const Arguments& more) {
  Arguments all = kRequired;
  all.insert(all.end(), more.begin(), more.end());
  return parse_run_config(all);
}

// The message of the UsageError that parsing ends in; fails the test when there is none.
std::string refusal(const Arguments& arguments) {
  try {
    parse_run_config(arguments);
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

const Key& key_named(std::string_view name) {
  for (const Key& key : key_table()) {
    if (key.name == name) return key;
  }
  throw std::out_of_range(std::string(name));
}

TEST(Config, EveryDefaultIsAllowed) {
  const RunConfig defaults;
  for (const Key& key : key_table()) {
    RunConfig config;
    EXPECT_NO_THROW(set_value(config, key, value_text(defaults, key))) << key.name;
    EXPECT_EQ(config, defaults) << key.name;
  }
}

TEST_F(ConfigFile, CommandLineWinsOverTheFile) {
  const std::string path =
      write("# a run\npack = p\nprotocol = q\nbackbone = b\nepochs = 3\nlr = 0.5\n");
  const RunConfig config = parse_run_config(Arguments{"--epochs", "7", "--config", path});
  EXPECT_EQ(config.epochs, 7);
  EXPECT_EQ(config.lr, 0.5);
  EXPECT_EQ(config.batch, RunConfig().batch);
}

TEST(Config, SwitchTakesItsValueInEveryForm) {
  EXPECT_TRUE(parse_with({"--dry-run"}).dry_run);
  EXPECT_TRUE(parse_with({"--dry-run", "true", "--epochs", "2"}).dry_run);
  EXPECT_FALSE(parse_with({"--dry-run", "false"}).dry_run);
  EXPECT_FALSE(parse_with({"--dry-run=false"}).dry_run);
}

TEST(Config, ListsAreCommaSeparated) {
  const RunConfig config = parse_with({"--lora-targets", "query, value", "--milestones=.25,0.75"});
  EXPECT_THAT(config.lora_targets, ElementsAre("query", "value"));
  EXPECT_THAT(config.milestones, ElementsAre(0.25, 0.75));
  EXPECT_THAT(parse_with({"--milestones", ""}).milestones, IsEmpty());
  EXPECT_THAT(parse_with({"--milestones="}).milestones, IsEmpty());
}

TEST(Config, LanesAreANumberOrRanks) {
  EXPECT_EQ(parse_with({"--lanes", "ranks"}).lanes, "ranks");
  EXPECT_EQ(parse_with({"--lanes", "08"}).lanes, "8");
  for (const char* const wrong : {"0", "-4", "four", "2.5", "", "4097"}) {
    EXPECT_THAT(refusal_with({"--lanes", wrong}),
                AllOf(HasSubstr("lanes"), HasSubstr(wrong), HasSubstr("ranks, or a whole number")));
  }
}

TEST(Config, AnEmptyValueIsTheSameInEveryForm) {
  EXPECT_THAT(refusal_with({"--lr="}), AllOf(HasSubstr("lr = ''"), HasSubstr("a number")));
  EXPECT_EQ(refusal_with({"--lr="}), refusal_with({"--lr", ""}));
  EXPECT_THAT(refusal({"--pack=", "--protocol=q", "--backbone=b"}),
              HasSubstr("missing settings: --pack"));
  EXPECT_EQ(parse_with({"--out=a="}).out, "a=");
}

TEST(Config, SeedCoversAll64Bits) {
  EXPECT_EQ(parse_with({"--seed=18446744073709551615"}).seed,
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_THAT(refusal_with({"--seed=18446744073709551616"}),
              HasSubstr("a whole number, 0 or more"));
}

TEST(Config, RefusesAnUnknownKeyWithTheNearestOne) {
  EXPECT_THAT(refusal_with({"--epoch", "3"}), AllOf(HasSubstr("'epoch'"), HasSubstr("'epochs'")));
  EXPECT_THAT(refusal_with({"--lora_rank=3"}), HasSubstr("'lora-rank'"));
  EXPECT_THAT(refusal_with({"--hea", "3"}), AllOf(HasSubstr("unknown"), HasSubstr("'hea'")));
  EXPECT_THAT(refusal_with({"--zzzzzzzz"}), AllOf(HasSubstr("zzzzzzzz"), HasSubstr("--help")));
  EXPECT_THAT(refusal_with({"--LR=1"}), HasSubstr("did you mean 'lr'?"));
  EXPECT_THAT(refusal_with({"--Lora_Rank=1"}), HasSubstr("did you mean 'lora-rank'?"));
}

TEST_F(ConfigFile, NamesTheFileInWhatItRefuses) {
  const std::string path = write("sede = 3\n");
  EXPECT_THAT(refusal({"--config", path}), AllOf(HasSubstr(path), HasSubstr("'seed'")));
  write("batch = 0\n");
  EXPECT_THAT(refusal({"--config", path}), AllOf(HasSubstr(path), HasSubstr("batch = '0'")));
  write("config = other.cfg\n");
  EXPECT_THAT(refusal({"--config", path}),
              AllOf(HasSubstr("'config'"), HasSubstr("names no other")));
  write("seed = 1\n--lr = 1\n");
  EXPECT_THAT(refusal({"--config", path}),
              AllOf(HasSubstr("line 2"), HasSubstr("did you mean 'lr'?")));
  write("LORA_RANK = 1\n");
  EXPECT_THAT(refusal({"--config", path}), HasSubstr("did you mean 'lora-rank'?"));
  write("epochs 3\n");
  EXPECT_THAT(refusal({"--config", path}), AllOf(HasSubstr(path), HasSubstr("name = value")));
  EXPECT_THAT(refusal({"--config", path + ".missing"}), HasSubstr(path + ".missing"));
}

TEST_F(ConfigFile, RefusesAKeyGivenTwiceInOneSource) {
  EXPECT_THAT(refusal_with({"--epochs=3", "--epochs=3"}),
              AllOf(HasSubstr("'epochs'"), HasSubstr("twice"), HasSubstr("command line")));
  EXPECT_THAT(refusal({"--config", write("lr = 1\nseed = 1\nlr = 1\n")}),
              AllOf(HasSubstr("'lr'"), HasSubstr("twice")));
  EXPECT_THAT(refusal({"--config=a", "--config=b"}), HasSubstr("'config'"));
}

TEST(Config, NamesKeyValueAndWhatIsAllowed) {
  const struct {
    const char* key;
    const char* value;
    const char* allowed;
  } cases[] = {
      {"epochs", "0", "from 1 to 1e+09"},
      {"epochs", "2.5", "whole number"},
      {"epochs", "1e3", "whole number"},
      {"epochs", "", "whole number"},
      {"epochs", "99999999999999999999", "whole number"},
      {"batch", "-1", "from 1 to 1e+09"},
      {"lora-rank", "0", "from 1 to 1e+09"},
      {"epsilon", "0", "above 0, at most 1"},
      {"epsilon", "1.01", "above 0, at most 1"},
      {"lr", "nan", "a number above 0"},
      {"lr", "inf", "a number above 0"},
      {"lr", "1e-3x", "a number above 0"},
      {"weight-decay", "-0.1", "0 or more"},
      {"merge", "closed", "closed-form"},
      {"merge", "averge", "did you mean 'average'?"},
      {"merge", "ema", "needs rate, a number from 0 to 1: ema:rate=0.5"},
      {"merge", "ema:rate=2", "a number from 0 to 1"},
      {"merge", "ties", "starts from the merged model; --merge fixed:alpha=0"},
      {"merge", "magmax", "--merge none trains that way"},
      {"head-refit", "yes", "true or false"},
      {"milestones", "0.5,0.5", "rising"},
      {"milestones", "1.5", "at most 1"},
      {"lora-targets", "key,,value", "names, comma-separated"},
      {"lora-targets", "key,key", "different"},
      {"lora-targets", "", "at least one"},
      {"head-refit", "1", "true or false"},
      {"head-refit", "True", "true or false"},
      {"lr", "1_000", "a number above 0"},
      {"lr", "1,5", "a number above 0"},
      {"lr", "0x10", "a number above 0"},
      {"lr", "10k", "a number above 0"},
      {"batch", "+5", "whole number"},
      {"seed", "-0", "whole number"},
      {"out", "a\nb", "no line break"},
      {"out", "it's \"a\"", "not both kinds of quotes"},
      {"out", " runs/a", "no space at its ends"},
  };
  for (const auto& wrong : cases) {
    const std::string named = std::string(wrong.key) + " = '" + wrong.value + "'";
    EXPECT_THAT(refusal_with({std::string("--") + wrong.key, wrong.value}),
                AllOf(HasSubstr(named), HasSubstr(wrong.allowed)));
  }
}

TEST(Config, RefusesAbbreviationsAndStrayWords) {
  EXPECT_THAT(refusal_with({"--epo", "3"}), HasSubstr("unknown setting 'epo'"));
  EXPECT_THAT(refusal_with({"--epochs", "3", "4"}), AllOf(HasSubstr("'4'"), HasSubstr("--name")));
  EXPECT_THAT(refusal_with({"-b", "3"}), HasSubstr("'-b'"));
  EXPECT_THAT(refusal_with({"--epochs"}), HasSubstr("'--epochs'"));
}

TEST(Config, NamesAllThatIsMissing) {
  EXPECT_THAT(refusal({"--protocol=q"}), AllOf(HasSubstr("--pack"), HasSubstr("--backbone"),
                                               testing::Not(HasSubstr("--protocol"))));
}

TEST(Config, RefusesContradictions) {
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
              HasSubstr("set head to cosine"));
  EXPECT_THAT(refusal_with(with_neither(
                  {"--head=prototype", "--adapter=none", "--scenario=domain-incremental"})),
              HasSubstr("the same classes again"));
  EXPECT_THAT(refusal_with({"--joint"}),
              AllOf(HasSubstr("perturbation = sign"), HasSubstr("merge = closed-form")));
  EXPECT_THAT(refusal_with(with_neither({"--joint", "--head-align"})), HasSubstr("one for all"));
  EXPECT_THAT(refusal_with(with_neither({"--joint", "--scenario=task-incremental"})),
              HasSubstr("class-incremental"));
  EXPECT_NO_THROW(parse_with(with_neither({"--joint", "--head=prototype", "--adapter=none"})));
  EXPECT_THAT(refusal_with({"--fork=a", "--continue=b"}), HasSubstr("begins from one other run"));
  EXPECT_THAT(refusal_with({"--joint", "--continue=b", "--merge=none", "--perturbation=none"}),
              HasSubstr("joint = true learns all tasks at once"));
  EXPECT_THAT(refusal_with({"--ewc=1", "--adapter=none", "--merge=none", "--perturbation=none"}),
              HasSubstr("ewc > 0 needs an adapter"));
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
  EXPECT_THAT(refusal_with({"--perturbation=gaussian", "--precision=bf16"}),
              HasSubstr("set precision = fp32"));
}

TEST(Config, JsonHoldsTypedValuesInTableOrder) {
  const auto json = nlohmann::ordered_json::parse(config_json(RunConfig(), true));
  EXPECT_EQ(json.size(), key_table().size());
  EXPECT_EQ(json.begin().key(), "pack");
  EXPECT_EQ(json["lr"], 1e-3);
  EXPECT_EQ(json["head-refit"], false);
  EXPECT_EQ(json["lora-targets"], nlohmann::ordered_json({"key", "value"}));
}

TEST(Config, OperationalSettingsStayOutOfTheRecordedJson) {
  const auto json = nlohmann::json::parse(config_json(RunConfig(), false));
  for (const char* const name : {"pack", "out", "resume", "progress", "log-every", "dry-run"}) {
    EXPECT_FALSE(json.contains(name)) << name;
  }
  for (const char* const name : {"lanes", "device", "seed", "epsilon"}) {
    EXPECT_TRUE(json.contains(name)) << name;
  }
}

TEST(Config, DifferencesNameKeyThenAndNow) {
  const std::string recorded = config_json(RunConfig(), false);
  RunConfig now;
  EXPECT_THAT(config_differences(recorded, now), IsEmpty());
  now.out = "elsewhere";
  now.log_every = 1;
  EXPECT_THAT(config_differences(recorded, now), IsEmpty());
  now.lr = 0.1;
  now.lanes = "8";
  EXPECT_THAT(config_differences(recorded, now),
              ElementsAre("lr: recorded 0.001, now 0.1", "lanes: recorded \"4\", now \"8\""));
}

TEST(Config, AKeyMissingInTheRecordCountsAsItsDefault) {
  RunConfig now;
  EXPECT_THAT(config_differences("{}", now), IsEmpty());
  now.epochs = 4;
  EXPECT_THAT(config_differences("{}", now), ElementsAre("epochs: recorded 10, now 4"));
}

TEST(Config, DifferencesRefuseWhatIsNoConfiguration) {
  EXPECT_THROW(config_differences("not json", RunConfig()), InputError);
  EXPECT_THROW(config_differences("[1]", RunConfig()), InputError);
}

TEST(Config, RecordedSettingsComeBack) {
  const RunConfig config =
      parse_with({"--lr=0.003", "--lora-targets=query,fc1", "--milestones=0.25,0.5",
                  "--validation=0.1", "--error-budget=false", "--lanes=ranks"});
  RunConfig back;
  take_recorded(config_json(config, true), back);
  EXPECT_EQ(back, config);
  RunConfig other;
  other.pack = "kept";
  take_recorded(config_json(config, false), other);
  EXPECT_EQ(other.lr, 0.003);
  EXPECT_EQ(other.pack, "kept");
  EXPECT_THROW(take_recorded("[]", other), InputError);
  EXPECT_THROW(take_recorded(R"({"lr": -1})", other), InputError);
  EXPECT_NO_THROW(take_recorded(R"({"of a later version": 1})", other));
}

TEST(Config, PassesThatCannotBeCountedAreRefused) {
  EXPECT_NO_THROW(parse_with({"--epochs=31622", "--passes-per-epoch=31622"}));
  EXPECT_THAT(refusal_with({"--epochs=1000000000", "--passes-per-epoch=1000000000"}),
              AllOf(HasSubstr("are 1000000000000000000 passes"), HasSubstr("at most 1000000000")));
}

TEST(Config, HelpExplainsEveryKeyWithin100Columns) {
  const std::string help = config_help();
  for (const Key& key : key_table()) {
    EXPECT_THAT(help, HasSubstr("--" + std::string(key.name) + " ")) << key.name;
    const bool is_path = allowed(key) == "text";
    EXPECT_THAT(help, HasSubstr(is_path ? " PATH" : allowed(key))) << key.name;
  }
  EXPECT_THAT(help, HasSubstr("\nPerturb, and merge\n"));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

TEST(Config, HelpMarksWhatIsNotInThePaper) {
  for (const char* const name :
       {"head-refit", "fisher-scale", "passes-per-epoch", "validation", "error-budget"}) {
    std::string help(key_named(name).help);
    std::replace(help.begin(), help.end(), '\n', ' ');
    EXPECT_THAT(help, testing::ContainsRegex("[Nn]ot in the paper")) << name;
  }
}

// Every setting is taken by a verb or refused by it, by name; a file may hold it all the same.
class Verbs : public ConfigFile {};

TEST_F(Verbs, RefuseOnTheCommandLineWhatHasNoMeaningInThem) {
  std::size_t refused = 0;
  for (const std::string_view verb : {"plan", "doctor", "eval", "predict"}) {
    for (const Key& key : key_table()) {
      const std::string value = value_text(RunConfig(), key);
      const Arguments given = {concat("--", key.name, "=", value.empty() ? "x" : value)};
      if (is_taken_by(key, verb)) {
        EXPECT_NO_THROW(parse_settings(given, {}, verb)) << key.name;
        EXPECT_THAT(settings_of_verb_help(verb), HasSubstr(concat(" --", key.name)));
        continue;
      }
      ++refused;
      try {
        parse_settings(given, {}, verb);
        ADD_FAILURE() << verb << " accepts --" << key.name;
      } catch (const UsageError& error) {
        EXPECT_THAT(error.what(),
                    HasSubstr(concat("--", key.name, " has no meaning in palimpsest ", verb)));
      }
      const std::string& file =
          write(concat(key.name, " = ", value.empty() ? "x" : value, "\nthreads = 3\n"));
      EXPECT_EQ(parse_settings(Arguments{"--config", file}, {}, verb).threads, 3) << key.name;
    }
  }
  EXPECT_GT(refused, 100u);
  for (const std::string_view name :
       {"stop-after", "resume", "checkpoint-every", "dry-run", "fork"})
    for (const std::string_view verb : {"plan", "doctor", "eval", "predict"})
      EXPECT_THROW(parse_settings(Arguments{concat("--", name, "=1")}, {}, verb), UsageError);
}

}  // namespace
}  // namespace palimpsest
