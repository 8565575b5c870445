// Machine files: what they say, and what is refused.
#include "palimpsest/plan/machine.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

const std::string kRequired =
    "ranks-per-node = 4\nnode-latency = 1e-6\nnode-bandwidth = 1e9\n"
    "network-latency = 1e-5\nnetwork-bandwidth = 1e8\n";

// The message of the refusal; "" when there is none.
std::string refusal(const std::string& text) {
  try {
    parse_machine(text, "machine file m.cfg");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Machine, ReadsKeysAndLeavesDefaults) {
  const Machine machine =
      parse_machine("# a remark\n" + kRequired + "fp32-rate = 2e12\nadapter-for-each-rank = true\n",
                    "machine file m.cfg");
  EXPECT_EQ(machine.ranks_per_node, 4);
  EXPECT_EQ(machine.node_latency, 1e-6);
  EXPECT_EQ(machine.network_bandwidth, 1e8);
  EXPECT_EQ(machine.fp32_rate, 2e12);
  EXPECT_TRUE(machine.adapter_for_each_rank);
  EXPECT_FALSE(machine.accelerator);
  EXPECT_EQ(machine.bf16_rate, 0);  // to be measured
  EXPECT_EQ(machine.share, 0.5);
}

TEST(Machine, RefusesWhatIsWrong) {
  EXPECT_THAT(refusal(kRequired + "fp32-rat = 1e12\n"),
              HasSubstr("m.cfg: unknown key 'fp32-rat'; did you mean 'fp32-rate'?"));
  EXPECT_THAT(refusal(kRequired + "colour = red\n"),
              HasSubstr("palimpsest plan --help lists them all"));
  EXPECT_THAT(refusal(kRequired + "node-latency = 1e-6\n"),
              HasSubstr("'node-latency' is given twice"));
  EXPECT_THAT(refusal(kRequired + "share = 1.5\n"),
              HasSubstr("share = '1.5' is not possible: it takes a number from"));
  EXPECT_THAT(refusal(kRequired + "share = half\n"), HasSubstr("share = 'half'"));
  EXPECT_THAT(refusal(kRequired + "memory = nan\n"), HasSubstr("memory = 'nan'"));
  EXPECT_THAT(refusal(kRequired + "accelerator = yes\n"), HasSubstr("it takes true or false"));
  EXPECT_THAT(refusal("ranks-per-node = 2.5\n"), HasSubstr("ranks-per-node = '2.5'"));
  EXPECT_THAT(refusal("ranks-per-node = 4\nnode-latency = 0\n"),
              HasSubstr("the keys network-bandwidth, network-latency, node-bandwidth are missing"));
  EXPECT_THAT(refusal("what is this\n"), HasSubstr("expected 'name = value'"));
}

TEST(Machine, KnowsThoseOfTheRepositoryByName) {
  for (const CompiledText& known : machine_texts()) {
    EXPECT_NO_THROW(open_machine(std::string(known.name))) << known.name;
  }
  EXPECT_EQ(open_machine("h200").memory, 141e9);
  EXPECT_EQ(open_machine("cpu-ethernet-10g").fp32_rate, 0);
  EXPECT_THAT([] { open_machine("h2000"); },
              testing::ThrowsMessage<UsageError>(HasSubstr("a100, cpu-ethernet-10g")));
  EXPECT_THAT([] { open_machine("none/such.cfg"); },
              testing::ThrowsMessage<UsageError>(HasSubstr("no such file, or it cannot be read")));
}

}  // namespace
}  // namespace palimpsest
