// What each rank keeps of the adapted modules, and what ranks say to one another of it.
#include "palimpsest/session/shards.h"

#include <gmock/gmock.h>

#include <set>

#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/text.h"
#include "palimpsest/method/method.h"
#include "support/kinds.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

AdaptedLayout layout_of(const std::vector<std::int64_t>& sizes) {
  std::vector<AdaptedModule> modules;
  for (std::size_t m = 0; m < sizes.size(); ++m)
    modules.push_back({.name = concat("m", m), .out = 1, .in = sizes[m]});
  return AdaptedLayout(std::move(modules));
}

TEST(Shards, EveryModuleHasOneOwnerAndRanksHaveAboutTheSame) {
  const AdaptedLayout layout = layout_of({5, 1, 4, 2, 9, 3});
  std::vector<std::int64_t> owned;
  std::set<std::string> names;
  for (int rank = 0; rank < 3; ++rank) {
    const Shards shards(layout, true, rank, 3);
    owned.push_back(shards.own().size());
    for (const AdaptedModule& module : shards.own().modules())
      EXPECT_TRUE(names.insert(module.name).second) << module.name;
    for (std::size_t m = 0; m < 6; ++m) {
      std::vector<float> flat(static_cast<std::size_t>(shards.own().size()));
      EXPECT_EQ(shards.part(std::span(flat), m).empty(), shards.owner(m) != rank);
    }
  }
  EXPECT_EQ(names.size(), 6u);
  EXPECT_THAT(owned, ElementsAre(9, 8, 7));  // 9; 5 + 2 + 1; 4 + 3
}

TEST(Shards, WithoutSplitEveryRankHasAll) {
  const Shards shards(layout_of({5, 1}), false, 1, 3);
  EXPECT_EQ(shards.own(), shards.all());
  std::vector<float> flat = {0, 1, 2, 3, 4, 5};
  EXPECT_THAT(shards.part(std::span(flat), 1), ElementsAre(5));
}

TEST(Shards, NumbersOfTheOwnersReachAll) {
  Watchdog watchdog(30);
  HostGroup group(watchdog);
  const Shards shards(layout_of({5, 1, 4, 2, 9, 3}), true, group.rank(), group.size());
  const ModuleShare share = shards.share(group);
  std::vector<double> own;
  for (const std::size_t module : share.modules) own.push_back(0.1 * static_cast<double>(module));
  EXPECT_THAT(share.gather(own), ElementsAre(0, 0.1, 0.2, 0.1 * 3, 0.4, 0.5));
  EXPECT_EQ(of_share(&share, share.gather(own)), own);
}

TEST(Shards, ARefusalNamesTheRulesThatCanBeUsed) {
  RunConfig config;
  config.merge = "closed-form:by=direction";
  std::string text;
  try {
    check_shards(config, make_method(config));
  } catch (const UsageError& error) {
    text = error.what();
  }
  for (const Kind& kind : merge_rules().kinds) {
    config.merge = standard_text(kind);
    const bool is_of_training =
        make_method(config).merge->needs().start == Origin::kMerged &&
        make_method(config).merge->needs().memory != RuleMemory::kAllTaskVectors;
    EXPECT_EQ(text.find(kind.name) < text.npos,
              kind.name == "closed-form" || (is_of_training && can_shard(make_method(config))))
        << kind.name << ": " << text;
  }
}

}  // namespace
}  // namespace palimpsest
