// A published number is shown beside a run with every condition in which they differ.
#include "../../src/report/published.h"

#include <gmock/gmock.h>

#include "palimpsest/format/protocol.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const char* const kPaper =
    R"({"adapter":"lora:rank=10,alpha=10,targets=key+value,a=kaiming","perturbation":"sign:epsilon=0.5",
        "merge":"closed-form:by=global,shrink=0","curvature":"empirical:scale=none","epochs":10,"batch":256,
        "image-transform":"resize-crop:size=224,crop=0,interpolation=auto,normalisation=backbone"})";

// A finished run of one of configs/protocols, whose test sets have `tested` samples together.
ReportedRun reported_run(const std::string& protocol_name, std::int64_t trained,
                         std::int64_t tested) {
  const Protocol protocol = read_protocol(std::string(PALIMPSEST_SOURCE_DIR "/configs/protocols/") +
                                          protocol_name + ".json");
  const auto tasks = static_cast<std::int64_t>(protocol.tasks.size());
  ReportedRun run{.folder = {},
                  .run = {},
                  .config = Json::parse(kPaper),
                  .tasks = {},
                  .accuracy = {},
                  .among_all = {},
                  .state_content_sha256 = {}};
  for (const auto& task : protocol.tasks) {
    TaskSummary summary;
    summary.record.classes = task.classes;
    summary.record.train_samples = trained / tasks;
    summary.record.backbone_name = "vit_base_patch16_224.augreg_in21k_ft_in1k";
    run.tasks.push_back(summary);
  }
  run.tasks.back().record.metrics.after_merge.samples.assign(protocol.tasks.size(), tested / tasks);
  return run;
}

using enum Condition::Met;

TEST(Published, ARunAsThePaperHasItIsKeptApartOnlyByWhatIsNotKnown) {
  const PublishedMatch match = published_match(reported_run("cifar-100-10", 50000, 10000));
  ASSERT_TRUE(match.number.has_value()) << match.why;
  EXPECT_EQ(match.number->column, "C100-10");
  EXPECT_EQ(match.number->row, "LoRA-P&M");
  EXPECT_DOUBLE_EQ(match.number->last, 88.45);
  EXPECT_EQ(match.number->names(kYes), "split, settings");
  EXPECT_EQ(match.number->names(kNo), "");
  EXPECT_EQ(match.number->names(kUnknown), "class order, weights, normalisation");
}

TEST(Published, WhatDiffersIsNamed) {
  ReportedRun run = reported_run("cifar-100-10", 5000, 10000);
  run.config["curvature"] = "empirical:scale=secant";
  run.tasks.back().record.backbone_name = "dinov2";
  const PublishedMatch match = published_match(run);
  ASSERT_TRUE(match.number.has_value());
  EXPECT_EQ(match.number->names(kNo), "split, weights, settings");
  EXPECT_THAT(match.number->conditions.front().found,
              AllOf(HasSubstr("5,000"), HasSubstr("50,000")));
  EXPECT_THAT(match.number->conditions.back().found,
              HasSubstr("curvature empirical:scale=secant (published: empirical:scale=none)"));
  EXPECT_THAT(published_line(match), HasSubstr("88.45 %; not the same: split, weights, settings"));
}

TEST(Published, PartsThatThePaperDoesNotHaveAreNamed) {
  for (const auto& [key, kind] :
       {std::pair("objective", "cosface"), {"penalty", "ewc"}, {"classifier", "ridge"}}) {
    ReportedRun run = reported_run("cifar-100-10", 50000, 10000);
    run.config[key] = kind;
    EXPECT_EQ(published_match(run).number.value().names(kNo), "settings") << key;
  }
}

TEST(Published, ColumnsAreDistinguishedByTheirTasks) {
  const PublishedMatch ten = published_match(reported_run("imagenet-r-10", 24000, 6000));
  const PublishedMatch twenty = published_match(reported_run("imagenet-r-20", 24000, 6000));
  EXPECT_EQ(ten.number.value().column, "INR-10");
  EXPECT_EQ(ten.number->average_anytime, 85.29);
  EXPECT_EQ(twenty.number.value().column, "INR-20");
  EXPECT_FALSE(twenty.number->average_anytime.has_value());
  EXPECT_THAT(ten.number->names(kUnknown), HasSubstr("split"));  // the paper's is not named
}

TEST(Published, AnotherOrderOfTheClassesIsSaid) {
  ReportedRun run = reported_run("cub-200-10", 0, 0);
  EXPECT_THAT(published_match(run).number.value().conditions[1].found, HasSubstr("as in configs"));
  std::swap(run.tasks[0].record.classes, run.tasks[1].record.classes);
  EXPECT_THAT(published_match(run).number.value().conditions[1].found,
              HasSubstr("another than in configs/protocols/cub-200-10.json"));
}

TEST(Published, RowsAreChosenByTheMethod) {
  ReportedRun run = reported_run("s-domainnet-5", 47530, 20450);
  run.config["epochs"] = 5;  // the column's own
  run.config["perturbation"] = "none";
  EXPECT_EQ(published_match(run).number.value().row, "LoRA-M");
  EXPECT_THAT(published_match(run).number->names(kYes), HasSubstr("settings"));
  run.config["merge"] = "average";
  EXPECT_DOUBLE_EQ(published_match(run).number.value().last, 81.84);
  run.config["merge"] = "ties";
  EXPECT_THAT(published_match(run).why, HasSubstr("no number is published on DN*-5"));
}

TEST(Published, OtherClassesHaveNone) {
  ReportedRun run = reported_run("cifar-100-10", 50000, 10000);
  run.tasks[3].record.classes[0] = "aurochs";
  EXPECT_THAT(published_match(run).why, HasSubstr("no number is published for these tasks"));
}

}  // namespace
}  // namespace palimpsest
