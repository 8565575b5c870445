// What a table of settings accepts, refuses and gives back.
#include <gmock/gmock.h>

#include <limits>

#include "palimpsest/config/keys.h"
#include "palimpsest/core/error.h"
#include "support/config_file.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The rows of config, and two as parts of the method have them.
const KeyTable& table() {
  static const KindTable rules{
      .noun = "merge rule",
      .kinds = {{.name = "closed-form", .help = "The default."},
                {.name = "keep", .help = "Nothing changes."},
                {.name = "share",
                 .help = "A share.",
                 .keys = {{.name = "alpha", .default_value = {}, .minimum = 0, .maximum = 1},
                          {.name = "of",
                           .type = Type::kWords,
                           .default_value = std::vector<std::string>{"all"}}}}}};
  static const KeyTable all = [] {
    KeyTable made;
    for (const auto& rows : {input_keys(), training_keys(), measuring_keys(), running_keys()}) {
      made.keys.insert(made.keys.end(), rows.begin(), rows.end());
    }
    made.keys.push_back(key(
        kMethodGroup, &RunConfig::merge,
        {.name = "merge", .help = "A rule.", .kinds = &rules, .check = [](std::string_view text) {
           if (text == "share:alpha=0") throw UsageError("nothing is learned");
         }}));
    made.check = [](const RunConfig& config) {
      if (config.batch == 13) throw UsageError("13 in a batch");
    };
    made.check_training = [](const RunConfig& config) {
      if (config.epochs == 13) throw UsageError("13 epochs");
    };
    return made;
  }();
  return all;
}

const Arguments kRequired = {"--pack=p.h5", "--protocol=q.json", "--backbone=b"};

RunConfig parse_with(const Arguments& more) {
  Arguments all = kRequired;
  all.insert(all.end(), more.begin(), more.end());
  return parse_run_config(table(), all);
}

// The message of the UsageError that parsing ends in; fails the test when there is none.
std::string refusal(const Arguments& arguments) {
  try {
    parse_run_config(table(), arguments);
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

TEST_F(ConfigFile, CommandLineWinsOverTheFile) {
  const std::string path =
      write("# a run\npack = p\nprotocol = q\nbackbone = b\nepochs = 3\nlr = 0.5\n");
  const RunConfig config = parse_run_config(table(), Arguments{"--epochs", "7", "--config", path});
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

TEST(Config, AKindGivesItsKeysAndTheOthersKeepTheirDefaults) {
  const Schedule schedule =
      parse_with({"--schedule", "multistep:milestones=.25+0.75,warmup=3"}).schedule;
  EXPECT_EQ(schedule.kind, Schedule::Kind::kMultistep);
  EXPECT_THAT(schedule.milestones, ElementsAre(0.25, 0.75));
  EXPECT_EQ(schedule.factor, Schedule().factor);
  EXPECT_EQ(schedule.warmup, 3);
  EXPECT_THAT(parse_with({"--schedule=multistep:milestones="}).schedule.milestones, IsEmpty());
  EXPECT_EQ(parse_with({"--device=cpu:threads=2"}).device.threads, 2);
  EXPECT_EQ(parse_with({"--augmentation=none"}).augmentation.kind, Augmentation::Kind::kNone);
  EXPECT_THAT(refusal_with({"--schedule=cosine:factor=2"}),
              HasSubstr("command line: schedule 'cosine' has no key 'factor'; its keys are "
                        "warmup"));
}

TEST(Config, LanesAreANumberOrRanks) {
  EXPECT_EQ(parse_with({"--lanes", "ranks"}).lanes, 0);
  EXPECT_EQ(parse_with({"--lanes", "08"}).lanes, 8);
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
  EXPECT_THAT(refusal_with({"--clip_norm=3"}), HasSubstr("'clip-norm'"));
  EXPECT_THAT(refusal_with({"--hea", "3"}), AllOf(HasSubstr("unknown"), HasSubstr("'hea'")));
  EXPECT_THAT(refusal_with({"--zzzzzzzz"}), AllOf(HasSubstr("zzzzzzzz"), HasSubstr("--help")));
  EXPECT_THAT(refusal_with({"--LR=1"}), HasSubstr("did you mean 'lr'?"));
  EXPECT_THAT(refusal_with({"--Clip_Norm=1"}), HasSubstr("did you mean 'clip-norm'?"));
}

TEST_F(ConfigFile, NamesTheFileInWhatItRefuses) {
  const std::string path = write("sede = 3\n");
  EXPECT_THAT(refusal({"--config", path}), AllOf(HasSubstr(path), HasSubstr("'seed'")));
  write("batch = 0\n");
  EXPECT_THAT(refusal({"--config", path}), AllOf(HasSubstr(path), HasSubstr("batch = '0'")));
  write("config = other.cfg\n");
  EXPECT_THAT(refusal({"--config", path}),
              AllOf(HasSubstr("'config'"), HasSubstr("write include = other.cfg")));
  write("seed = 1\n--lr = 1\n");
  EXPECT_THAT(refusal({"--config", path}),
              AllOf(HasSubstr("line 2"), HasSubstr("did you mean 'lr'?")));
  write("CLIP_NORM = 1\n");
  EXPECT_THAT(refusal({"--config", path}), HasSubstr("did you mean 'clip-norm'?"));
  write("epochs 3\n");
  EXPECT_THAT(refusal({"--config", path}), AllOf(HasSubstr(path), HasSubstr("name = value")));
  EXPECT_THAT(refusal({"--config", path + ".missing"}), HasSubstr(path + ".missing"));
}

// Settings of earlier versions.
TEST_F(ConfigFile, AnOldSettingIsRefusedWithTodaysSpelling) {
  EXPECT_THAT(refusal_with({"--lora-rank", "4"}),
              HasSubstr("command line: --lora-rank is the setting of an earlier version. Write "
                        "--adapter lora:rank=4, and put the other keys"));
  EXPECT_THAT(refusal_with({"--head_refit"}), HasSubstr("--classifier local:refit=20"));
  EXPECT_THAT(refusal_with({"--ewc=1"}), HasSubstr("--penalty ewc:weight=1"));
  EXPECT_THAT(refusal_with({"--ewc", "0.0"}), HasSubstr("--penalty none"));
  EXPECT_THAT(refusal_with({"--ewc", "."}), HasSubstr("--penalty ewc:weight=."));
  EXPECT_THAT(refusal_with({"--head-refit=false"}), HasSubstr("--classifier local:refit=0"));
  EXPECT_THAT(refusal_with({"--warmup-steps", "3"}), HasSubstr("--schedule cosine:warmup=3"));
  EXPECT_THAT(refusal_with({"--milestones=0.2,0.4"}),
              HasSubstr("--schedule multistep:milestones=0.2+0.4"));
  write("seed = 1\nmilestones = 0.2, 0.4\n");
  EXPECT_THAT(
      refusal({"--config", path()}),
      AllOf(HasSubstr("line 2: milestones is the setting of an earlier version. Write schedule = "
                      "multistep:milestones=0.2+0.4"),
            HasSubstr("--print-config converts the whole file")));
}

TEST_F(ConfigFile, AnOldFileIsConvertedOnRequest) {
  write(
      "pack = p\nprotocol = q\nbackbone = b\nschedule = multistep\nmilestones = 0.2, 0.4\n"
      "warmup-steps = 7\nnonfinite = skip\nnonfinite-limit = 3\nthreads = 2\ndevice = cpu\n"
      "augmentation = rand-augment\nrand-augment-magnitude = 5\ncolour-jitter = 0.1\n"
      "crop-share = 0.9\nlog-every = 9\nlanes = ranks\n");
  const Arguments arguments = {"--config", path()};
  std::vector<std::string> left_out;
  const RunConfig config = parse_run_config(table(), arguments, "train", &left_out);
  EXPECT_THAT(left_out,
              ElementsAre("configuration " + path() +
                          ": line 13: colour-jitter is left out: augmentation = rand-augment has "
                          "no key jitter"));
  EXPECT_EQ(config.schedule, (Schedule{Schedule::Kind::kMultistep, {0.2, 0.4}, 0.1, 7}));
  EXPECT_EQ(config.nonfinite, (NonfiniteSettings{NonfiniteSettings::Kind::kSkip, 3}));
  EXPECT_EQ(config.device, (DeviceSettings{DeviceKind::kCpu, 2}));
  EXPECT_EQ(config.augmentation.magnitude, 5);
  EXPECT_EQ(config.augmentation.operations, 2);
  EXPECT_EQ(config.image_transform.crop, 0.9);
  EXPECT_EQ(config.progress.every, 9);
  EXPECT_EQ(config.lanes, 0);
  write(print_config(table(), config));
  EXPECT_EQ(parse_run_config(table(), arguments), with_absolute_paths(table(), config));
}

TEST_F(ConfigFile, AnOldFileIsRefusedByLineWhereAValueIsBadAlsoOneThatIsLeftOut) {
  const auto refused = [&](const char* text) -> std::string {
    std::vector<std::string> left_out;
    write(text);
    try {
      parse_settings(table(), Arguments{"--config", path()}, {}, "train", &left_out);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused("augmentation = none\ncolour-jitter = much\n"),
              HasSubstr(path() + ": line 2: augmentation 'crop-flip-jitter': jitter = 'much'"));
  EXPECT_THAT(refused("nonfinite = skip\nnonfinite-limit =\n"),
              HasSubstr(path() + ": line 2: nonfinite action 'skip': limit = ''"));
  EXPECT_THAT(refused("seed = 1\nschedule = cosin\nwarmup-steps = 3\n"),
              HasSubstr(path() + ": line 2: schedule 'cosin' is not known"));
  EXPECT_THAT(refused("warmup-steps = 3\nschedule = cosine:warmup=4\n"),
              AllOf(HasSubstr(path() + ": line 2: "), HasSubstr("say different things")));
}

// Files that include others, in their own folder.
class Includes : public ConfigFile {
 protected:
  Includes() : folder_(path() + ".d") {
    std::filesystem::create_directories(folder_ / "configs" / "methods");
    std::filesystem::create_directories(folder_ / "mine");
  }
  ~Includes() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  RunConfig parsed(const std::string& path) const {
    return parse_settings(table(), Arguments{"--config", path});
  }
  std::string refused(const std::string& path) const {
    try {
      parsed(path);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(Includes, AreFoundBesideTheFileAndInConfigsAbove) {
  file("configs/methods/share.cfg", "merge = share:alpha=1\nepochs = 3\n");
  const std::string base = file("configs/base.cfg", "epochs = 4\ninclude = methods/share.cfg\n");
  EXPECT_EQ(parsed(base).epochs, 4);
  EXPECT_EQ(parsed(base).merge, "share:alpha=1");
  EXPECT_EQ(parsed(file("mine/run.cfg", "include = methods/share.cfg\n")).epochs, 3);
  EXPECT_EQ(parsed(file("mine/two.cfg", "include = base.cfg, methods/share.cfg\n")).epochs, 3);
  EXPECT_EQ(parsed(file("mine/own.cfg", "include = " + base + "\nbatch = 2\n")).batch, 2);
  EXPECT_EQ(parse_settings(table(), Arguments{"--config", base, "--epochs=9"}).epochs, 9);
}

TEST_F(Includes, AreRefusedByFileAndLine) {
  EXPECT_THAT(refused(file("mine/a.cfg", "seed = 1\ninclude = nowhere.cfg\n")),
              AllOf(HasSubstr("a.cfg: line 2: include = nowhere.cfg"), HasSubstr("found none")));
  EXPECT_THAT(refused(file("mine/b.cfg", "include = b.cfg\n")), HasSubstr("includes itself"));
  file("mine/c.cfg", "include = d.cfg\n");
  EXPECT_THAT(refused(file("mine/d.cfg", "include = c.cfg\n")), HasSubstr("includes itself"));
  file("mine/e.cfg", "seed = 1\nsede = 1\n");
  EXPECT_THAT(refused(file("mine/f.cfg", "include = e.cfg\n")),
              AllOf(HasSubstr("e.cfg: line 2"), HasSubstr("did you mean 'seed'?")));
  EXPECT_THAT(refused(file("mine/g.cfg", "include = e.cfg\ninclude = c.cfg\n")),
              HasSubstr("given twice"));
  EXPECT_THAT(refused(file("mine/h.cfg", "include = \n")), HasSubstr("separated by commas"));
  file("mine/a,b.cfg", "seed = 2\n");
  EXPECT_THAT(refused(file("mine/i.cfg", "include = a,b.cfg\n")),
              AllOf(HasSubstr("include = a: expected"), HasSubstr("a name can't contain one")));
  EXPECT_THAT(refused(file("mine/j.cfg", "include = /nowhere/k.cfg\n")),
              testing::EndsWith("include = /nowhere/k.cfg: expected a file, found none"));
}

TEST_F(Includes, AreBounded) {
  file("mine/0.cfg", "seed = 2\n");
  for (int i = 1; i <= 40; ++i) {
    const std::string below = std::to_string(i - 1) + ".cfg";
    file("mine/" + std::to_string(i) + ".cfg", "include = " + below + ", " + below + "\n");
  }
  EXPECT_EQ(parsed(file("mine/few.cfg", "include = 5.cfg\n")).seed, 2u);
  EXPECT_THAT(refused(file("mine/many.cfg", "include = 40.cfg\n")),
              HasSubstr("expected at most 100 files in all, found more"));
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
      {"epochs", "", "whole number"},
      {"epochs", "99999999999999999999", "whole number"},
      {"batch", "-1", "from 1 to 1e+09"},
      {"progress", "bar:every=0", "every = '0' is not possible: it takes a whole number from 1"},
      {"augmentation", "crop-flip:min-scale=0", "above 0, at most 1"},
      {"augmentation", "crop-flip:min-scale=1.01", "above 0, at most 1"},
      {"lr", "nan", "a number above 0"},
      {"lr", "inf", "a number above 0"},
      {"lr", "1e-3x", "a number above 0"},
      {"weight-decay", "-0.1", "0 or more"},
      {"merge", "kep", "merge rule 'kep' is not known; did you mean 'keep'?"},
      {"merge", "share", "needs alpha, a number from 0 to 1: share:alpha=0.5"},
      {"merge", "share:alpha=2", "a number from 0 to 1"},
      {"merge", "share:alpha=0", "nothing is learned"},
      {"drop-last", "yes", "true or false"},
      {"schedule", "multistep:milestones=0.5+0.5", "rising"},
      {"schedule", "multistep:milestones=1.5", "at most 1"},
      {"schedule", "multistep:milestones=0.2+", "rising"},
      {"schedule", "cosin", "did you mean 'cosine'?"},
      {"merge", "share:alpha=1,of=a++b", "different words joined by +"},
      {"merge", "share:alpha=1,of=a+a", "different"},
      {"merge", "share:alpha=1,of=", "different words"},
      {"device", "cuda:share=yes", "true or false"},
      {"drop-last", "1", "true or false"},
      {"drop-last", "True", "true or false"},
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
    // A kind names itself.
    const bool of_a_kind = find_key(table(), wrong.key)->type == Type::kKind;
    const std::string named =
        of_a_kind ? wrong.key : std::string(wrong.key) + " = '" + wrong.value + "'";
    EXPECT_THAT(refusal_with({std::string("--") + wrong.key, wrong.value}),
                AllOf(HasSubstr(named), HasSubstr(wrong.allowed)));
  }
}

TEST(Config, RefusesAbbreviationsAndStrayWords) {
  EXPECT_THAT(refusal_with({"--epo", "3"}), HasSubstr("unknown setting 'epo'"));
  EXPECT_THAT(refusal_with({"--epochs", "3", "4"}), AllOf(HasSubstr("'4'"), HasSubstr("--name")));
  EXPECT_THAT(refusal_with({"-b", "3"}), HasSubstr("'-b'"));
  EXPECT_THAT(refusal_with({"--"}), HasSubstr("'--' is no setting"));
  EXPECT_THAT(refusal_with({"--epochs"}), HasSubstr("'--epochs'"));
}

TEST(Config, NamesAllThatIsMissing) {
  EXPECT_THAT(refusal({"--protocol=q"}), AllOf(HasSubstr("--pack"), HasSubstr("--backbone"),
                                               testing::Not(HasSubstr("--protocol"))));
}

TEST(Config, DifferencesNameKeyThenAndNow) {
  const std::string recorded = config_json(table(), RunConfig(), false);
  RunConfig now;
  EXPECT_THAT(config_differences(table(), recorded, now), IsEmpty());
  now.out = "elsewhere";
  now.progress.every = 1;
  now.device.share = true;
  EXPECT_THAT(config_differences(table(), recorded, now), IsEmpty());
  now.lr = 0.1;
  now.lanes = 8;
  now.device.threads = 2;
  EXPECT_THAT(config_differences(table(), recorded, now),
              ElementsAre("lr: recorded 0.001, now 0.1", "lanes: recorded 4, now 8",
                          "device: recorded \"auto:threads=1\", now \"auto:threads=2\""));
}

TEST(Config, AKeyMissingInTheRecordCountsAsItsDefault) {
  RunConfig now;
  EXPECT_THAT(config_differences(table(), "{}", now), IsEmpty());
  now.epochs = 4;
  EXPECT_THAT(config_differences(table(), "{}", now), ElementsAre("epochs: recorded 10, now 4"));
}

TEST(Config, DifferencesRefuseWhatIsNoConfiguration) {
  EXPECT_THROW(config_differences(table(), "not json", RunConfig()), InputError);
  EXPECT_THROW(config_differences(table(), "[1]", RunConfig()), InputError);
}

TEST(Config, RecordedSettingsComeBack) {
  const RunConfig config =
      parse_with({"--lr=0.003", "--merge=share:alpha=1,of=query+fc1",
                  "--schedule=multistep:milestones=0.25+0.5", "--validation=0.1",
                  "--error-budget=false", "--lanes=ranks"});
  RunConfig back;
  take_recorded(table(), config_json(table(), config, true), back);
  EXPECT_EQ(back, config);
  RunConfig other;
  other.pack = "kept";
  take_recorded(table(), config_json(table(), config, false), other);
  EXPECT_EQ(other.lr, 0.003);
  EXPECT_EQ(other.pack, "kept");
  EXPECT_THROW(take_recorded(table(), "[]", other), InputError);
  EXPECT_THROW(take_recorded(table(), R"({"lr": -1})", other), InputError);
  EXPECT_NO_THROW(take_recorded(table(), R"({"of a later version": 1})", other));
}

TEST(Config, ARowOfAPartListsItsKindsAndKeepsTheShortestText) {
  const Key& key = *find_key(table(), "merge");
  EXPECT_THAT(kind_names(*key.kinds), ElementsAre("closed-form", "keep", "share"));
  EXPECT_EQ(allowed(key), "RULE[:key=value,...]");
  EXPECT_EQ(kinds_help(*key.kinds, 70),
            "closed-form: The default.\nkeep: Nothing changes.\nshare: A share.\n"
            "  alpha=a number from 0 to 1\n"
            "  of=different words joined by +; all if not given\n");
  const RunConfig config = parse_with({"--merge=share:alpha=0.50,of=all"});
  EXPECT_EQ(config.merge, "share:alpha=0.5");
  EXPECT_EQ(value_text(config, key), "share:alpha=0.5,of=all");
}

TEST(Config, TheTableChecksSettingsAgainstOneAnother) {
  EXPECT_THAT(refusal_with({"--batch=13"}), HasSubstr("13 in a batch"));
  EXPECT_THAT(refusal_with({"--epochs=13"}), HasSubstr("13 epochs"));
  EXPECT_THROW(parse_settings(table(), Arguments{"--batch=13"}), UsageError);
  EXPECT_EQ(parse_settings(table(), Arguments{"--epochs=13"}).epochs, 13);
}

}  // namespace
}  // namespace palimpsest
