// Lines 'name = value', as a shell's user would read them, or refused with the line's number.
#include "palimpsest/core/cfg_file.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string read_first_value(const std::string& text) {
  const std::vector<CfgLine> lines = parse_cfg(text, "test.cfg");
  EXPECT_EQ(lines.size(), 1);
  return lines.empty() ? "" : lines[0].name + "|" + lines[0].value;
}

std::string refusal(const std::string& text) {
  try {
    parse_cfg(text, "test.cfg");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

class CfgFile : public testing::Test {
 protected:
  CfgFile() { setenv("HOME", "/home/me", 1); }
};

TEST_F(CfgFile, ValuesAreWhatTheyLookLike) {
  const std::pair<const char*, const char*> cases[] = {
      {"out = runs/exp#2", "out|runs/exp#2"},
      {"out = runs/exp # the second", "out|runs/exp"},
      {"out = runs/exp\t#2", "out|runs/exp"},
      {"out =# none", "out|"},
      {"out =", "out|"},
      {"  out=runs/a b  ", "out|runs/a b"},
      {"out = \"runs/exp #2\" # quoted", "out|runs/exp #2"},
      {"out = 'it \"is\" $HOME, '", "out|it \"is\" $HOME, "},
      {"lr = \"1e-3\"", "lr|1e-3"},
      {"out = a=b", "out|a=b"},
      {"out = runs/x\r\n", "out|runs/x"},
      {"\xEF\xBB\xBFout = runs/x", "out|runs/x"},
      {"\n# out = y\n   # z\n\tout = runs/x", "out|runs/x"},
      {"out = ~", "out|/home/me"},
      {"out = ~/runs", "out|/home/me/runs"},
      {"out = \"~/my runs\"", "out|/home/me/my runs"},
      {"out = ~root/runs", "out|/root/runs"},
      {"out = ./~/runs", "out|./~/runs"},
      {"out = runs/a~", "out|runs/a~"},
      {"out = runs/100$", "out|runs/100$"},
      {"out = a/~/b;c", "out|a/~/b;c"},
      {"out = http://x/y--z", "out|http://x/y--z"},
      {"out = 'a -- b // \xE2\x80\x9C"
       "c`\xE2\x80\x9D = d;'",
       "out|a -- b // \xE2\x80\x9C"
       "c`\xE2\x80\x9D = d;"},
  };
  for (const auto& [line, value] : cases) EXPECT_EQ(read_first_value(line), value) << line;
}

TEST_F(CfgFile, WhatIsNoSuchLineIsRefusedWithItsNumber) {
  const std::pair<const char*, const char*> cases[] = {
      {"a = 1\nb: 2", "test.cfg: line 2: expected 'name = value', found 'b: 2': write ="},
      {"epochs 3", "expected 'name = value', found 'epochs 3'"},
      {"[train]", "there are no sections"},
      {"a = 1\n\n a = 1", "line 3: 'a' is given twice (first in line 1)"},
      {"out = \"runs/x", "a closing \""},
      {"out = 'runs/x' y", "nothing behind the closing '"},
      {"out = 'a'#b", "nothing behind the closing '"},
      {"out = runs/\"x\"", "quotes go around a whole value"},
      {"out = it's", "quotes go around a whole value"},
      {"out = $HOME/x", "variables are not replaced"},
      {"out = \"${SCRATCH}/x\"", "variables are not replaced"},
      {"out = runs/$(date)", "variables are not replaced"},
      {"out = runs/`date`", "commands are not replaced"},
      {"out = runs/x ; mine", "a comment begins with #"},
      {"out = runs/x // mine", "a comment begins with #"},
      {"out = runs/x;", "ends with ;"},
      {"out = runs/x --seed 3", "a line has one setting"},
      {"out = runs/x seed = 3", "a line has one setting"},
      {"out == runs/x", "a line has one setting and one ="},
      {"out = \xE2\x80\x9Cruns/x\xE2\x80\x9D", "quotes are \" or '"},
      {"out = \xE2\x80\x98runs/x\xE2\x80\x99", "quotes are \" or '"},
      {"out =\xC2\xA0runs/x", "a no-break space"},
      {"out = runs/x\xC2\xA0# mine", "a no-break space"},
      {"out = runs/x\xE2\x80\x8B", "a zero-width space"},
      {"out = runs/x,", "ends with ,"},
      {"out = runs/x \\", "ends with \\"},
      {"out = ~nobody-of-this-name/x", "~nobody-of-this-name is no user"},
      {"# mine\rout = x", "carriage return"},
  };
  for (const auto& [text, message] : cases)
    EXPECT_THAT(refusal(text), AllOf(HasSubstr("test.cfg: line "), HasSubstr(message))) << text;
  EXPECT_THAT(refusal(std::string("o\0u\0t", 5)), HasSubstr("UTF-8"));
}

TEST_F(CfgFile, AWrittenValueReadsBack) {
  for (const std::string value : {"", "runs/x", "runs/x #2", "runs/x#2", "it's", "say \"a\"",
                                  "$HOME/x", "a ; b", "a,", "a`b`", "a;", "= a", "a -- b",
                                  "\xC2\xA0"
                                  "a",
                                  "a\\", "# a", "key,value"}) {
    EXPECT_EQ(read_first_value("out = " + cfg_value(value)), "out|" + value);
  }
  EXPECT_EQ(cfg_value("runs/x#2"), "runs/x#2");  // no quotes where none are needed
  EXPECT_EQ(read_first_value("out = " + cfg_value("~/x")), "out|./~/x");  // the same folder
  EXPECT_THROW(cfg_value("it's \"a\""), UsageError);
  EXPECT_THROW(cfg_value("a\nb"), UsageError);
}

TEST_F(CfgFile, CommandLinesHaveHomeFoldersToo) {
  EXPECT_THAT(
      with_home_folders({"train", "--out=~/x", "--out", "~/y", "--a=b=~/c", "-~"}),
      testing::ElementsAre("train", "--out=/home/me/x", "--out", "/home/me/y", "--a=b=~/c", "-~"));
  unsetenv("HOME");
  EXPECT_THAT(with_home_folder("~/x"), testing::EndsWith("/x"));
  EXPECT_THAT(with_home_folder("~/x"), testing::StartsWith("/"));
}

}  // namespace
}  // namespace palimpsest
