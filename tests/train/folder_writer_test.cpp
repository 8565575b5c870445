#include "palimpsest/continual/folder_writer.h"

#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

TEST(FolderWriter, WritesInItsThreadAndReportsInTheCallers) {
  FolderWriter writer;
  EXPECT_FALSE(writer.is_writing());
  std::promise<void> may_end;
  std::thread::id wrote, reported;
  writer.start(
      [&, ready = may_end.get_future().share()] {
        ready.wait();
        wrote = std::this_thread::get_id();
      },
      [&] { reported = std::this_thread::get_id(); });
  EXPECT_TRUE(writer.is_writing());
  EXPECT_EQ(reported, std::thread::id());
  may_end.set_value();
  writer.wait();
  EXPECT_FALSE(writer.is_writing());
  EXPECT_NE(wrote, std::this_thread::get_id());
  EXPECT_EQ(reported, std::this_thread::get_id());
}

TEST(FolderWriter, FreesWhatAJobHasCopiedBeforeItIsWaitedFor) {
  FolderWriter writer;
  const auto copied = std::make_shared<int>(1);
  writer.start([copied] { EXPECT_GT(copied.use_count(), 1); });
  while (writer.is_writing()) std::this_thread::yield();
  EXPECT_EQ(copied.use_count(), 1);
  writer.wait();
}

TEST(FolderWriter, AnErrorIsThrownOnceAndReportsNoSuccess) {
  FolderWriter writer;
  bool has_reported = false;
  writer.start([] { throw Error("no space left"); }, [&] { has_reported = true; });
  EXPECT_THAT([&] { writer.wait(); }, testing::ThrowsMessage<Error>("no space left"));
  EXPECT_NO_THROW(writer.wait());
  EXPECT_FALSE(has_reported);
}

TEST(FolderWriter, AJobBeginsAfterTheOneBefore) {
  FolderWriter writer;
  std::string order;
  writer.start([&] { order += "a"; }, [&] { order += "A"; });
  writer.start([&] { order += "b"; }, [&] { order += "B"; });
  writer.wait();
  EXPECT_EQ(order, "aAbB");
  writer.start([] { throw Error("full"); });
  EXPECT_THROW(writer.start([&] { order += "c"; }), Error);
  EXPECT_EQ(order, "aAbB");
}

}  // namespace
}  // namespace palimpsest
