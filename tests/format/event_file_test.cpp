// Event files are made of records that show when they are damaged.
#include "palimpsest/format/event_file.h"

#include "fixtures.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class EventFileTest : public FolderTest {
 protected:
  std::vector<std::int64_t> find_record_ends(const std::string& bytes) const {
    write_bytes(at("events"), bytes);
    return record_ends(at("events"));
  }
};

// Checked against tensorboard's own writer.
TEST_F(EventFileTest, ARecordIsLengthDataAndTheirChecksums) {
  EXPECT_EQ(event_record("abc"), std::string("\x03\0\0\0\0\0\0\0\xb0\x99\x49\x0e"
                                             "abc\x6e\x57\xf1\x21",
                                             19));
}

TEST_F(EventFileTest, RecordsEndWhereTheyEnd) {
  EXPECT_THAT(record_ends(at("missing")), IsEmpty());
  EXPECT_THAT(find_record_ends(""), IsEmpty());
  const std::string two = event_record("abc") + event_record("");
  EXPECT_THAT(find_record_ends(two), ElementsAre(19, 35));
  for (std::size_t bytes = 0; bytes < two.size(); ++bytes)
    EXPECT_EQ(find_record_ends(two.substr(0, bytes)).size(), bytes < 19 ? 0u : 1u) << bytes;
}

TEST_F(EventFileTest, EveryFlippedBitIsFound) {
  const std::string two = event_record("abc") + event_record("defgh");
  for (std::size_t bit = 0; bit < 8 * two.size(); ++bit) {
    std::string flipped = two;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    EXPECT_EQ(find_record_ends(flipped).size(), bit / 8 < 19 ? 0u : 1u) << "bit " << bit;
  }
}

}  // namespace
}  // namespace palimpsest
