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

Settings converted(Settings settings) {
  EXPECT_TRUE(convert_old_settings(settings));
  return settings;
}

TEST(OldSettings, BecomeKeysOfTheKindThatHasThem) {
  EXPECT_EQ(
      converted({{"lora-rank", "4"}, {"lora-targets", "key, fc1"}, {"batch", "7"}}),
      (Settings{{"adapter", "lora:rank=4,alpha=10,targets=key+fc1,a=kaiming"}, {"batch", "7"}}));
  EXPECT_EQ(converted({{"adapter", "none"}, {"lora-rank", "4"}}),
            (Settings{{"adapter", "none:targets=key+value"}}));
  EXPECT_EQ(converted({{"perturbation", "uniform"}, {"epsilon", "0.3"}}),
            (Settings{{"perturbation", "uniform"}}));
  EXPECT_EQ(converted({{"head-refit", "true"}, {"head-align", "false"}}),
            (Settings{{"classifier", "local:refit=20,align=0"}}));
  EXPECT_EQ(converted({{"head-align", "true"}, {"head-align-epochs", "3"}}),
            (Settings{{"classifier", "local:refit=0,align=3"}}));
  EXPECT_EQ(converted({{"head-refit", "false"}, {"classifier", "ridge"}}),
            (Settings{{"classifier", "ridge"}}));
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
  Settings both = {{"perturbation", "sign:epsilon=0.3"}, {"epsilon", "0.2"}};
  EXPECT_THAT([&] { convert_old_settings(both); },
              testing::ThrowsMessage<UsageError>(HasSubstr("say different things")));
  Settings two = {{"ewc", "1"}, {"penalty", "ewc"}};
  EXPECT_THAT([&] { convert_old_settings(two); },
              testing::ThrowsMessage<UsageError>(HasSubstr("leave one of them out")));
}

TEST(OldSettings, TodaysSettingsAreLeftAsTheyAre) {
  Settings today = {{"adapter", "lora:rank=4"}, {"device", "cpu"}};
  const Settings before = today;
  EXPECT_FALSE(convert_old_settings(today));
  EXPECT_EQ(today, before);
  for (const char* const text : {R"({"adapter":"lora:rank=4"})", "[1]", "no json", ""})
    EXPECT_EQ(with_todays_settings(text), text);
}

TEST(OldSettings, RecordsKeepTheirTypesAndOrder) {
  const auto json = nlohmann::ordered_json::parse(with_todays_settings(
      R"({"seed":18446744073709551615,"adapter":"lora","lora-rank":4,"lora-alpha":4.0,)"
      R"("lora-targets":["key","value"],"lr":0.01,"schedule":"multistep","milestones":[0.25,0.5],)"
      R"("joint":false,"lanes":"4","device":"cuda","cuda-graphs":true})"));
  EXPECT_EQ(json.dump(),
            R"({"seed":18446744073709551615,)"
            R"("adapter":"lora:rank=4,alpha=4,targets=key+value,a=kaiming","lr":0.01,)"
            R"("schedule":"multistep:milestones=0.25+0.5,factor=0.1,warmup=0","joint":false,)"
            R"("lanes":4,"device":"cuda:threads=1,graphs=true"})");
}

TEST(OldSettings, HaveASpellingOfToday) {
  const auto today = [](const char* name, const char* value) {
    const Spelling spelling = todays_spelling(name, value).value();
    return spelling.setting + " = " + spelling.value;
  };
  EXPECT_EQ(today("lora-rank", "4"), "adapter = lora:rank=4");
  EXPECT_EQ(today("lora-rank", ""), "adapter = lora:rank=10");
  EXPECT_EQ(today("lora-targets", "query,fc1"), "adapter = lora:targets=query+fc1");
  EXPECT_EQ(today("head-refit", "true"), "classifier = local:refit=20");
  EXPECT_EQ(today("head-align-epochs", "7"), "classifier = local:align=7");
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
}

}  // namespace
}  // namespace palimpsest
