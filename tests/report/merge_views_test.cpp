#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "palimpsest/remerge/run_merge.h"
#include "palimpsest/report/views.h"

namespace palimpsest {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

TEST(MergeViews, AnAuditShowsWhatWasMeasuredAndDashesElsewhere) {
  Audit audit{.task_names = {"one", "two"},
              .predicted = {{0}, {0.5, 0.25}},
              .measured = {{0.125}, {std::nullopt, 2}}};
  const View view = audit_view(audit, "a run");
  EXPECT_THAT(view.text, HasSubstr("    2       -  2.0000\n"));
  EXPECT_EQ(json::parse(view.json)["measured_rise_test_samples"], json({{0.125}, {nullptr, 2.0}}));
  EXPECT_EQ(json::parse(view.json)["predicted_rise_training_samples"], json({{0.0}, {0.5, 0.25}}));
  EXPECT_THAT(view.text, Not(HasSubstr("no losses")));
  audit.measured.clear();
  EXPECT_THAT(audit_view(audit, "a run").text, HasSubstr("have no losses"));
  EXPECT_TRUE(json::parse(audit_view(audit, "a run").json)["measured_rise_test_samples"].is_null());
}

TEST(MergeViews, TasksCountFromZeroInJsonAndFromOneInText) {
  RemergeResult result;
  result.own_rule = result.rule = "average";
  result.record.rule = R"({"name": "average"})";
  result.record.task_names = {"third"};
  result.tasks = {{.name = "task 3", .index = 2, .record = {}, .predicted_rise = {}}};
  const View view = merge_view(result, "a run", "");
  EXPECT_EQ(json::parse(view.json)["tasks"][0]["task"], 2);
  EXPECT_THAT(view.text, HasSubstr("   3  third"));
}

}  // namespace
}  // namespace palimpsest
