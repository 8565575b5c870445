#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <numeric>

#include "fixtures.h"
#include "palimpsest/core/hash.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class H5Test : public FolderTest {
 protected:
  // A tiny file: an array, a text and two attributes, written in either order.
  std::string write_tiny(const std::filesystem::path& path, bool reversed) const {
    const std::vector<float> values = {1, 2, 3, 4, 5, 6};
    H5Writer file(path, "tiny");
    const std::vector<std::function<void()>> writes = {
        [&] {
          file.numbers<float>("/b/values", {2, 3}, values);
        },
        [&] {
          file.texts("/a", std::vector<std::string>{"one", "", "zwölf"});
        },
        [&] { file.number<std::int64_t>("/b@index", -7); }, [&] { file.text("/@kind", "k"); }};
    for (std::size_t i = 0; i < writes.size(); ++i) {
      writes[reversed ? writes.size() - 1 - i : i]();
    }
    return file.finish();
  }
};

TEST_F(H5Test, AnotherThreadWaitsUntilTheFileIsClosed) {
  write_tiny(at("one.h5"), false);
  const auto in_a_thread = [](auto work) { return std::async(std::launch::async, work); };
  std::future<std::string> writing, reading;
  {
    const H5File open_here(at("one.h5"), "tiny");
    const H5File same_thread(at("one.h5"), "tiny");
    writing = in_a_thread([&] { return write_tiny(at("two.h5"), false); });
    reading = in_a_thread([&] { return H5File(at("one.h5"), "tiny").text("/@kind"); });
    for (const auto* each : {&writing, &reading})
      EXPECT_EQ(each->wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  }
  EXPECT_EQ(reading.get(), "k");
  EXPECT_EQ(H5File(at("two.h5"), "tiny").text("/@content_sha256"), writing.get());
}

TEST_F(H5Test, ContentHashIsTheDocumentedOne) {
  const std::string nul(1, '\0');
  // In byte order of the paths: '@' comes after '/' and before letters.
  const std::string expected = "/@kind" + nul + "str" + nul + nul + "k" + nul + "/a" + nul + "str" +
                               nul + "3" + nul + "one" + nul + nul + "zwölf" + nul + "/b/values" +
                               nul + "f4" + nul + "2,3" + nul +
                               little_endian<float>({1, 2, 3, 4, 5, 6}) + "/b@index" + nul + "i8" +
                               nul + nul + little_endian<std::int64_t>({-7});
  EXPECT_EQ(write_tiny(at("a.h5"), false), sha256(std::string_view(expected)));
}

TEST_F(H5Test, ContentHashDoesNotDependOnTheOrderOfWriting) {
  EXPECT_EQ(write_tiny(at("a.h5"), false), write_tiny(at("b.h5"), true));
}

// Of several MiB, in rows of any length: the parts are the whole, and a flipped bit is seen in any.
TEST_F(H5Test, ReadsLargeObjectsInParts) {
  for (const H5Dims& dims : {H5Dims{3'000'000}, H5Dims{3, 1'000'000}, H5Dims{700, 3, 1'429}}) {
    const auto count =
        std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
    std::vector<float> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 1.0f);
    {
      H5Writer writer(at("large.h5"), "tiny");
      writer.numbers<float>("/values", dims, values);
      writer.finish();
    }
    const H5File file(at("large.h5"), "tiny");
    std::vector<std::byte> read;
    std::size_t parts = 0;
    file.read_in_parts(file.open("/values"), [&](std::span<const std::byte> part) {
      read.insert(read.end(), part.begin(), part.end());
      ++parts;
    });
    EXPECT_GT(parts, 1u);
    EXPECT_TRUE(std::ranges::equal(read, std::as_bytes(std::span(values))));
    EXPECT_NO_THROW(check_content_hash(file));
  }
  std::int64_t last = 4 * (700 * 3 * 1'429 - 1);
  last += H5File(at("large.h5"), "tiny").offset_in_file("/values");
  std::fstream bytes(at("large.h5"), std::ios::binary | std::ios::in | std::ios::out);
  bytes.seekp(last).put('\1');
  bytes.close();
  const H5File damaged(at("large.h5"), "tiny");
  EXPECT_THAT([&] { check_content_hash(damaged); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("flipped bits")));
}

TEST_F(H5Test, ReadsBackWhatWasWritten) {
  write_tiny(at("a.h5"), false);
  const H5File file(at("a.h5"), "tiny");
  EXPECT_THAT(file.numbers<float>("/b/values", {2, 3}), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(file.read_texts(file.open("/a")), ElementsAre("one", "", "zwölf"));
  EXPECT_EQ(file.number<std::int64_t>("/b@index"), -7);
  EXPECT_THAT(file.children(""), ElementsAre("a", "b"));
  EXPECT_FALSE(file.has("/b/none"));
  EXPECT_FALSE(file.has("/none/values"));
}

TEST_F(H5Test, RefusesAnotherTypeOrShapeNamingBoth) {
  write_tiny(at("a.h5"), false);
  const H5File file(at("a.h5"), "tiny");
  EXPECT_THAT(error_message<InputError>([&] {
                file.numbers<float>("/b/values", {3, 2});
              }),
              AllOf(HasSubstr("a.h5"), HasSubstr("/b/values"), HasSubstr("f4 [3,2]"),
                    HasSubstr("f4 [2,3]")));
  EXPECT_THAT(error_message<InputError>([&] { file.number<double>("/b@index"); }),
              AllOf(HasSubstr("/b@index"), HasSubstr("f8 a scalar"), HasSubstr("i8 a scalar")));
  EXPECT_THAT(error_message<InputError>([&] { file.text("/b"); }), HasSubstr("expected a dataset"));
  EXPECT_THAT(error_message<InputError>([&] { file.text("/c"); }), HasSubstr("found none"));
}

TEST_F(H5Test, WriterRefusesNumbersThatAreNotFinite) {
  H5Writer file(at("a.h5"), "tiny");
  EXPECT_THAT(error_message<Error>([&] { file.number<double>("/x@loss", 0.0 / 0.0); }),
              AllOf(HasSubstr("/x@loss"), HasSubstr("not finite")));
  const std::vector<float> values = {1, std::numeric_limits<float>::infinity()};
  EXPECT_THAT(error_message<Error>([&] { file.numbers<float>("/values", {2}, values); }),
              HasSubstr("not finite"));
}

TEST_F(H5Test, WriterRefusesValuesThatDoNotFitTheShape) {
  H5Writer file(at("a.h5"), "tiny");
  const std::vector<float> values = {1, 2};
  EXPECT_THAT(error_message<Error>([&] { file.numbers<float>("/values", {3}, values); }),
              AllOf(HasSubstr("/values"), HasSubstr("[3]"), HasSubstr("found 2")));
}

TEST_F(H5Test, RefusesChunkedFilteredAndExternalStorage) {
  const auto refused = [&](const std::function<void(hid_t)>& set) {
    write_tiny(at("a.h5"), false);
    change_hdf5(at("a.h5"), [&](hid_t file) {
      const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE));
      set(creation.get());
      replace_dataset(file, "/b/values", H5T_IEEE_F32LE, {2, 3}, creation.get());
    });
    const H5File file(at("a.h5"), "tiny");
    return error_message<InputError>([&] { file.numbers<float>("/b/values", {2, 3}); });
  };
  const hsize_t chunk[] = {1, 3};
  EXPECT_THAT(refused([&](hid_t list) { H5Pset_chunk(list, 2, chunk); }),
              HasSubstr("expected contiguous storage"));
  EXPECT_THAT(refused([&](hid_t list) {
                H5Pset_chunk(list, 2, chunk);
                H5Pset_shuffle(list);
              }),
              HasSubstr("chunked"));
  EXPECT_THAT(refused([](hid_t list) { H5Pset_layout(list, H5D_COMPACT); }), HasSubstr("compact"));
  const std::string external = at("outside.bin");
  EXPECT_THAT(refused([&](hid_t list) { H5Pset_external(list, external.c_str(), 0, 24); }),
              HasSubstr("external storage"));
}

TEST_F(H5Test, RefusesSoftAndExternalLinks) {
  write_tiny(at("a.h5"), false);
  change_hdf5(at("a.h5"), [](hid_t file) {
    H5Lcreate_soft("/b/values", file, "/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("b.h5", "/b", file, "/external", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(error_message<InputError>([&] { H5File(at("a.h5"), "tiny"); }),
              AllOf(HasSubstr("/external: "), HasSubstr("a soft or external link")));
  change_hdf5(at("a.h5"), [](hid_t file) { H5Ldelete(file, "/external", H5P_DEFAULT); });
  EXPECT_THAT(error_message<InputError>([&] { H5File(at("a.h5"), "tiny"); }),
              AllOf(HasSubstr("/soft: "), HasSubstr("a soft or external link")));
}

TEST_F(H5Test, RefusesAGroupThatContainsItself) {
  write_tiny(at("a.h5"), false);
  change_hdf5(at("a.h5"), [](hid_t file) {
    H5Lcreate_hard(file, "/b", file, "/b/again", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(error_message<InputError>([&] { H5File(at("a.h5"), "tiny"); }), HasSubstr("loop"));
}

TEST_F(H5Test, RefusesForeignStringsAndNumbers) {
  write_tiny(at("a.h5"), false);
  change_hdf5(at("a.h5"), [](hid_t file) {
    const H5Handle text(H5Tcopy(H5T_C_S1));
    H5Tset_size(text.get(), H5T_VARIABLE);
    replace_dataset(file, "/a", text.get(), {3});
    const H5Handle ascii(H5Tcopy(H5T_C_S1));
    replace_dataset(file, "/ascii", ascii.get(), {3});
    replace_dataset(file, "/b/values", H5T_IEEE_F32BE, {2, 3});
  });
  const H5File file(at("a.h5"), "tiny");
  EXPECT_THAT(error_message<InputError>([&] { file.open("/a"); }), HasSubstr("variable-length"));
  EXPECT_THAT(error_message<InputError>([&] { file.open("/ascii"); }),
              HasSubstr("null-padded UTF-8"));
  EXPECT_THAT(error_message<InputError>([&] {
                file.numbers<float>("/b/values", {2, 3});
              }),
              HasSubstr("an HDF5 type of class"));
}

TEST_F(H5Test, RefusesADatasetLargerThanTheFileWithoutReadingIt) {
  write_tiny(at("a.h5"), false);
  change_hdf5(at("a.h5"), [](hid_t file) {
    const hsize_t dims[] = {hsize_t{1} << 40};
    const H5Handle space(H5Screate_simple(1, dims, nullptr));
    const H5Handle made(H5Dcreate2(file, "/huge", H5T_IEEE_F64LE, space.get(), H5P_DEFAULT,
                                   H5P_DEFAULT, H5P_DEFAULT));
  });
  const H5File file(at("a.h5"), "tiny");
  EXPECT_THAT(
      error_message<InputError>([&] { file.numbers<double>("/huge", {std::int64_t{1} << 40}); }),
      HasSubstr("no more than the file has room for"));
}

TEST_F(H5Test, RefusesAnotherTypeAnUnknownVersionAndWhatIsNoHdf5) {
  write_tiny(at("a.h5"), false);
  EXPECT_THAT(error_message<InputError>([&] { H5File(at("a.h5"), "task"); }),
              AllOf(HasSubstr("palimpsest_type"), HasSubstr("\"task\""), HasSubstr("\"tiny\"")));
  change_hdf5(at("a.h5"),
              [](hid_t file) { replace_text_attribute(file, "/", "palimpsest_version", "4.0.0"); });
  EXPECT_THAT(
      error_message<InputError>([&] { H5File(at("a.h5"), "tiny"); }),
      AllOf(HasSubstr("palimpsest_version"), HasSubstr("2.x.y or 3.x.y"), HasSubstr("4.0.0")));
  write_bytes(at("text.h5"), "not HDF5");
  EXPECT_THAT(error_message<InputError>([&] { H5File(at("text.h5"), "tiny"); }),
              AllOf(HasSubstr("text.h5"), HasSubstr("HDF5")));
  EXPECT_THAT(error_message<InputError>([&] { H5File(at("missing.h5"), "tiny"); }),
              AllOf(HasSubstr("missing.h5"), HasSubstr("cannot be read")));
}

TEST_F(H5Test, AFileThatAnotherProgramHasOpenIsNotCalledDamaged) {
  if (std::getenv("HDF5_USE_FILE_LOCKING") != nullptr) GTEST_SKIP() << "HDF5's locking is set";
  write_tiny(at("a.h5"), false);
  const int other = open(at("a.h5").c_str(), O_RDWR);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  EXPECT_THAT(error_message<LockedFileError>([&] { H5File(at("a.h5"), "tiny"); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("Another program has it open for writing (h5py"),
                    Not(HasSubstr("HDF5_USE_FILE_LOCKING")), Not(HasSubstr("damaged"))));
  close(other);
}

}  // namespace
}  // namespace palimpsest
