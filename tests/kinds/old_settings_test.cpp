// What earlier versions wrote means the same in today's spelling.
#include "palimpsest/kinds/old_settings.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/kinds/kind_settings.h"

namespace palimpsest {
namespace {

using Settings = std::map<std::string, std::string>;
using testing::HasSubstr;

// Of a record, in the order of the names.
Settings converted(const Settings& settings) {
  std::vector<Given> lines;
  for (const auto& [name, value] : settings) lines.push_back({name, value});
  const ConvertedSettings converted = convert_old_settings(lines).value();
  Settings made;
  for (const Given& given : converted.settings)
    EXPECT_TRUE(made.emplace(given.name, given.value).second) << given.name;
  return made;
}

// Lines of files: "FILE: NAME = VALUE".
ConvertedSettings converted_lines(const std::vector<std::string>& texts) {
  std::vector<Given> lines;
  for (const std::string& text : texts) {
    const std::size_t colon = text.find(": "), equals = text.find(" = ");
    lines.push_back({.name = text.substr(colon + 2, equals - colon - 2),
                     .value = text.substr(equals + 3),
                     .file = text.substr(0, colon),
                     .source = text.substr(0, colon)});
  }
  return convert_old_settings(lines).value();
}

TEST(OldSettings, BecomeKeysOfTheKindThatHasThem) {
  EXPECT_EQ(converted({{"lora-rank", "4"}, {"lora-targets", "key, fc1"}, {"batch", "7"}}),
            (Settings{{"adapter", "lora:rank=4,alpha=10,targets=key+fc1,a=kaiming,tasks=0"},
                      {"batch", "7"}}));
  EXPECT_EQ(converted({{"adapter", "none"}, {"lora-rank", "4"}}),
            (Settings{{"adapter", "none:targets=key+value"}}));
  EXPECT_EQ(converted({{"perturbation", "uniform"}, {"epsilon", "0.3"}}),
            (Settings{{"perturbation", "uniform"}}));
  EXPECT_EQ(converted({{"head-refit", "true"}, {"head-align", "false"}}),
            (Settings{{"classifier", "local:refit=20,align=none,normalise=false"}}));
  EXPECT_EQ(converted({{"head-align", "true"}, {"head-align-epochs", "3"}}),
            (Settings{{"classifier", "local:refit=0,align=gaussian,normalise=false"}}));
  EXPECT_EQ(
      converted({{"classifier", "local:refit=3,align=5"}, {"seed", "2"}}),
      (Settings{{"classifier", "local:refit=3,align=gaussian,normalise=false"}, {"seed", "2"}}));
  EXPECT_EQ(converted({{"classifier", "local:refit=3,align=0"}}),
            (Settings{{"classifier", "local:refit=3,align=none,normalise=false"}}));
  EXPECT_EQ(converted({{"head-refit", "false"}, {"classifier", "ridge"}}),
            (Settings{{"classifier", "ridge:projection=0,lambda=auto"}}));
  EXPECT_EQ(converted({{"ewc", "2"}, {"penalty", "none"}}),
            (Settings{{"penalty", "ewc:weight=2"}}));
  EXPECT_EQ(converted({{"ewc", "0"}, {"penalty", "ewc:weight=3"}}),
            (Settings{{"penalty", "ewc:weight=3"}}));
  EXPECT_EQ(converted({{"threads", "2"}, {"device", "cpu"}, {"share-device", "true"}}),
            (Settings{{"device", "cpu:threads=2"}}));
}

TEST(OldSettings, ATextWinsOverADefaultAndContradictionsAreRefused) {
  EXPECT_EQ(converted({{"perturbation", "sign:epsilon=0.3"}, {"epsilon", "0.5"}}),
            (Settings{{"perturbation", "sign:epsilon=0.3"}}));
  EXPECT_EQ(converted({{"perturbation", "sign:epsilon=0.5"}, {"epsilon", "0.3"}}),
            (Settings{{"perturbation", "sign:epsilon=0.3"}}));
  EXPECT_THAT(
      [] {
        converted({{"perturbation", "sign:epsilon=0.3"}, {"epsilon", "0.2"}});
      },
      testing::ThrowsMessage<UsageError>(HasSubstr("say different things")));
  EXPECT_THAT(
      [] {
        converted({{"ewc", "2"}, {"penalty", "ewc:weight=3"}});
      },
      testing::ThrowsMessage<UsageError>(HasSubstr("leave one of them out")));
}

TEST(OldSettings, TheLaterOfTwoFilesWinsAlsoWithADefault) {
  const auto perturbation = [](const std::vector<std::string>& lines) {
    const ConvertedSettings made = converted_lines(lines);
    EXPECT_THAT(made.left_out, testing::IsEmpty());
    EXPECT_EQ(made.settings.size(), 1u);
    return made.settings.front().value;
  };
  EXPECT_EQ(perturbation({"a: perturbation = sign:epsilon=0.3", "b: epsilon = 0.5"}),
            "sign:epsilon=0.5");
  EXPECT_EQ(perturbation({"a: epsilon = 0.3", "b: perturbation = sign:epsilon=0.5"}),
            "sign:epsilon=0.5");
  EXPECT_EQ(perturbation({"a: epsilon = 0.3", "b: perturbation = gaussian"}),
            "gaussian:epsilon=0.3");
  EXPECT_EQ(perturbation({"a: epsilon = 0.2", "a: perturbation = sign:epsilon=0.2"}),
            "sign:epsilon=0.2");
  EXPECT_EQ(converted_lines({"a: perturbation = sign:epsilon=0.3", "b: perturbation = stratified",
                             "b: threads = 2"})
                .settings.front()
                .value,
            "stratified:epsilon=0.5");
  EXPECT_EQ(converted_lines({"a: penalty = ewc", "b: ewc = 0"}).settings.front().value, "none");
  EXPECT_THAT(
      [] {
        converted_lines({"a: perturbation = sign:epsilon=0.3", "a: epsilon = 0.5"});
      },
      testing::ThrowsMessage<UsageError>("a: perturbation = sign:epsilon=0.3 and epsilon = 0.5 say "
                                         "different things: leave one of them out"));
}

TEST(OldSettings, ALineWithoutAMeaningIsNamed) {
  const auto left_out = [](const std::vector<std::string>& lines) {
    return converted_lines(lines).left_out;
  };
  EXPECT_THAT(
      left_out({"a: perturbation = none", "a: epsilon = 0.5"}),
      testing::ElementsAre("a: epsilon is left out: perturbation = none has no key epsilon"));
  EXPECT_THAT(left_out({"a: classifier = ridge", "b: head-refit = true"}),
              testing::ElementsAre("b: head-refit is left out: classifier = ridge has no key "
                                   "refit"));
  EXPECT_THAT(left_out({"a: head-align-epochs = 3"}),
              testing::ElementsAre("a: head-align-epochs is left out: head-align isn't true"));
  EXPECT_THAT(left_out({"a: head-refit = true", "a: head-refit-epochs = 3"}), testing::IsEmpty());
}

TEST(OldSettings, AnAlignmentIsNowAnotherOneAndThatIsSaid) {
  const auto left_out = [](const std::vector<std::string>& lines) {
    return converted_lines(lines).left_out;
  };
  EXPECT_THAT(left_out({"a: head-align = true", "a: head-align-epochs = 3"}),
              testing::ElementsAre("a: head-align-epochs is left out: align=gaussian, SLCA's "
                                   "alignment, always has 5 passes"));
  EXPECT_THAT(left_out({"a: classifier = local:refit=0,align=3"}),
              testing::ElementsAre("a: align=3 of classifier is now align=gaussian, SLCA's "
                                   "alignment, which has 5 passes"));
  EXPECT_THAT(left_out({"a: classifier = local:refit=0,align=0"}), testing::IsEmpty());
}

TEST(OldSettings, TodaysSettingsAreLeftAsTheyAre) {
  EXPECT_FALSE(convert_old_settings({{"adapter", "lora:rank=4"}, {"device", "cpu"}}).has_value());
  for (const char* const text :
       {R"({"adapter":"none:targets=key","head":"linear"})",
        R"({"classifier":"local:align=gaussian,prototype"})", R"({"adapter":"lora:rank=4"})",
        R"({"lr":1})", "[1]", "no json", ""})
    EXPECT_EQ(with_todays_settings(text), text);
}

TEST(OldSettings, TextsOfTodayGetTheKeysThatTheirKindsHaveSince) {
  EXPECT_EQ(
      with_todays_settings(
          R"({"seed":1,"adapter":"lora:rank=2,alpha=2,targets=key+value,a=kaiming",)"
          R"("objective":"classes","classifier":"local:refit=0,align=none,ridge",)"
          R"("merge":"ties:density=0.5","device":"cpu:threads=1"})"),
      R"({"seed":1,"adapter":"lora:rank=2,alpha=2,targets=key+value,a=kaiming,tasks=0",)"
      R"("objective":"classes:temperature=1",)"
      R"("classifier":"local:refit=0,align=none,normalise=false,ridge:projection=0,lambda=auto",)"
      R"("merge":"ties:density=0.5","device":"cpu:threads=1"})");
}

TEST(OldSettings, RecordsKeepTheirTypesAndOrderAndGetWhatCameLater) {
  const auto json = nlohmann::ordered_json::parse(with_todays_settings(
      R"({"seed":18446744073709551615,"adapter":"lora","lora-rank":4,"lora-alpha":4.0,)"
      R"("lora-targets":["key","value"],"lr":0.01,"schedule":"multistep","milestones":[0.25,0.5],)"
      R"("joint":false,"lanes":"4","device":"cuda","cuda-graphs":true})"));
  EXPECT_EQ(json.dump(),
            R"({"seed":18446744073709551615,)"
            R"("adapter":"lora:rank=4,alpha=4,targets=key+value,a=kaiming,tasks=0","lr":0.01,)"
            R"("schedule":"multistep:milestones=0.25+0.5,factor=0.1,warmup=0","joint":false,)"
            R"("lanes":4,"device":"cuda:threads=1,graphs=true",)"
            R"("augmentation":"crop-flip:min-scale=0.08","classifier":)"
            R"("local:refit=0,align=none,normalise=false",)"
            R"("curvature":"empirical:scale=secant,samples=all","head":"linear",)"
            R"("image-transform":"resize-crop:size=224,crop=0,interpolation=auto,)"
            R"(normalisation=backbone,squash=false","merge":"closed-form:by=global,shrink=0",)"
            R"("nonfinite":"stop","objective":"classes:temperature=1","penalty":"none",)"
            R"("perturbation":"sign:epsilon=0.5"})");
}

TEST(OldSettings, HaveASpellingOfToday) {
  const auto today = [](const char* name, const char* value) {
    const Spelling spelling = todays_spelling(name, value).value();
    return spelling.setting + " = " + spelling.value;
  };
  EXPECT_EQ(today("lora-rank", "4"), "adapter = lora:rank=4");
  EXPECT_EQ(todays_spelling("lora-rank")->value, "lora:rank=10");
  EXPECT_EQ(today("lora-rank", ""), "adapter = lora:rank=");
  EXPECT_EQ(today("head-refit", "maybe"), "classifier = local:refit=maybe");
  EXPECT_EQ(today("lora-targets", "query,fc1"), "adapter = lora:targets=query+fc1");
  EXPECT_EQ(today("head-refit", "true"), "classifier = local:refit=20");
  EXPECT_EQ(today("head-align-epochs", "7"), "classifier = local:align=gaussian");
  EXPECT_EQ(today("head-align", "true"), "classifier = local:align=gaussian");
  EXPECT_EQ(today("head-align", "false"), "classifier = local:align=none");
  EXPECT_EQ(today("classifier", "local:refit=2,align=7"),
            "classifier = local:refit=2,align=gaussian");
  EXPECT_FALSE(todays_spelling("classifier", "local:align=gaussian").has_value());
  EXPECT_FALSE(todays_spelling("classifier", "ridge").has_value());
  EXPECT_EQ(today("ewc", "2"), "penalty = ewc:weight=2");
  EXPECT_FALSE(todays_spelling("lr", "1").has_value());
  EXPECT_FALSE(todays_spelling("", "1").has_value());
}

TEST(OldSettings, AKeyIsFoundInAText) {
  EXPECT_EQ(key_in("lora:rank=4,a=kaiming", "a"), "kaiming");
  EXPECT_EQ(key_in("lora:rank=4,a=kaiming", "rank"), "4");
  EXPECT_EQ(key_in("lora:rank=4", "alpha"), "");
  EXPECT_EQ(key_in("lora", "rank"), "");
  EXPECT_EQ(key_in("", "rank"), "");
  EXPECT_EQ(key_in("lora:rank", "rank"), "");
}

}  // namespace
}  // namespace palimpsest
