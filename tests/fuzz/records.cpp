// The typed layer over records and packs. HDF5's own parser is not under test (it is trusted behind
// a checked hash): the input says how a whole file's objects are changed, the file is written as
// HDF5 with right checksums, and everything that reads such a file reads it.
#include "palimpsest/format/records.h"

#include <cstring>

#include "../../src/format/h5.h"
#include "fuzz.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/format/verify.h"
#include "palimpsest/report/views.h"

namespace palimpsest {
namespace {

struct Object {
  std::string path, type;
  H5Dims dims;
  std::vector<std::byte> bytes;
  std::vector<std::string> texts;
};

struct WholeFile {
  std::string type;
  std::vector<Object> objects;
};

// Of PALIMPSEST_GOLDEN.
constexpr const char* kFiles[] = {"run/tasks/task-0001.h5", "run/step-0002-00000001.h5", "texts.h5",
                                  "images.h5"};
constexpr std::string_view kTypes[] = {"f4", "f8", "i4", "i8", "u1", "u4", "u8", "str"};
constexpr std::size_t kMostValues = 4096;

WholeFile read_whole(const std::filesystem::path& path) {
  const H5File file(path, "");
  WholeFile whole{.type = file.text("/@palimpsest_type"), .objects = {}};
  for (const std::string& name : file.paths()) {
    if (name.ends_with("@crc32c") || name.starts_with("/@palimpsest") || name == "/@writer" ||
        name == "/@content_sha256")
      continue;
    const H5Item item = file.open(name);
    Object object{.path = name, .type = item.type, .dims = item.dims, .bytes = {}, .texts = {}};
    if (item.type == "str") {
      object.texts = file.read_texts(item);
    } else {
      object.bytes.resize(item.count * item.element_bytes);
      file.read(item, object.bytes);
    }
    whole.objects.push_back(std::move(object));
  }
  return whole;
}

const AdaptedLayout& layout() {
  static const AdaptedLayout two(
      {{.name = "a", .out = 2, .in = 3}, {.name = "b", .out = 3, .in = 2}});
  return two;
}

// As this version writes it.
WholeFile whole_state() {
  const auto path = input_file("state.h5", "");
  write_state_record(
      path, read_state_record(std::filesystem::path(PALIMPSEST_GOLDEN) / "run/state-0001.h5"));
  return read_whole(path);
}

WholeFile whole_merged() {
  const Head head{.classes = 2, .features = 2, .weight = {1, 2, 3, 4}, .bias = {0, 1}};
  const auto path = input_file("merged.h5", "");
  write_merged_record(path, {.layout = layout(),
                             .weights = std::vector<float>(12, 0.5F),
                             .rule = R"({"name": "average"})",
                             .sources = R"({"run": "r", "tasks": []})",
                             .post_hoc = "post hoc",
                             .task_names = {"one", "two"},
                             .classes = {{"a", "b"}, {"c", "d"}},
                             .heads = {head, head},
                             .backbone_sha256 = std::string(64, 'b'),
                             .backbone_shape_sha256 = std::string(64, 'c'),
                             .pack_content_sha256 = std::string(64, 'a'),
                             .config = "{}"});
  return read_whole(path);
}

WholeFile whole_curvature() {
  const auto path = input_file("curvature.h5", "");
  write_curvature_record(path, {.layout = layout(),
                                .values = std::vector<float>(12, 0.5F),
                                .kind = "empirical-per-sample",
                                .samples = 50,
                                .factor = 2,
                                .base_sha256 = std::string(64, 'b')});
  return read_whole(path);
}

void change(std::vector<Object>& objects, Bytes& input) {
  Object& object = objects[input.below(objects.size())];
  switch (input.next() % 6) {
    case 0:  // take it away
      object = Object(objects.back());
      objects.pop_back();
      break;
    case 1:  // another length
      if (!object.dims.empty())
        object.dims[input.below(object.dims.size())] = 1 + input.next() % 64;
      break;
    case 2: {  // other bytes at some place
      const auto value = input.take(1 + input.next() % 8);
      if (value.empty() || object.bytes.size() < value.size()) break;
      const std::size_t place = input.below(object.bytes.size() - value.size() + 1);
      std::memcpy(object.bytes.data() + place, value.data(), value.size());
      break;
    }
    case 3:
      object.type = kTypes[input.below(std::size(kTypes))];
      break;
    case 4:
      object.path = objects[input.below(objects.size())].path;
      break;
    case 5: {
      const auto text = input.take(input.next());
      if (!object.texts.empty())
        object.texts[input.below(object.texts.size())].assign(text.begin(), text.end());
      break;
    }
  }
}

template <typename Number>
void write_numbers(H5Writer& file, const Object& object) {
  std::size_t count = 1;
  for (const std::int64_t length : object.dims)
    count = std::min(kMostValues + 1, count * static_cast<std::size_t>(length));
  if (count > kMostValues) throw Error("larger than it need be");
  std::vector<Number> values(count);
  if (!object.bytes.empty())
    std::memcpy(values.data(), object.bytes.data(),
                std::min(count * sizeof(Number), object.bytes.size()));
  file.numbers<Number>(object.path, object.dims, values);
}

void write(H5Writer& file, const Object& object) {
  if (object.type == "f4") return write_numbers<float>(file, object);
  if (object.type == "f8") return write_numbers<double>(file, object);
  if (object.type == "i4") return write_numbers<std::int32_t>(file, object);
  if (object.type == "i8") return write_numbers<std::int64_t>(file, object);
  if (object.type == "u1") return write_numbers<std::uint8_t>(file, object);
  if (object.type == "u4") return write_numbers<std::uint32_t>(file, object);
  if (object.type == "u8") return write_numbers<std::uint64_t>(file, object);
  std::vector<std::string> texts = object.texts;
  texts.resize(object.dims.empty() ? 1 : static_cast<std::size_t>(object.dims.front()));
  if (object.dims.empty()) return file.text(object.path, texts.front());
  file.texts(object.path, texts);
}

// False where no such file can be made: two objects of one name, NaN.
bool write_whole(const WholeFile& whole, const std::filesystem::path& path) {
  try {
    H5Writer file(path, whole.type);
    for (const Object& object : whole.objects) write(file, object);
    file.finish();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace
}  // namespace palimpsest

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace palimpsest;
  static const std::vector<WholeFile> whole_files = [] {
    std::vector<WholeFile> files;
    for (const char* name : kFiles)
      files.push_back(read_whole(std::filesystem::path(PALIMPSEST_GOLDEN) / name));
    files.insert(files.begin() + 1, whole_state());
    files.push_back(whole_merged());
    files.push_back(whole_curvature());
    return files;
  }();
  Bytes input({data, size});
  WholeFile whole = whole_files[input.below(whole_files.size())];
  while (!input.done() && whole.objects.size() > 1) change(whole.objects, input);
  const auto path = input_file("record.h5", "");
  if (!write_whole(whole, path)) return 0;
  reads_or_refuses([&] { make_view(path); });
  reads_or_refuses([&] { read_task_record(path); });
  reads_or_refuses([&] { read_state_record(path); });
  reads_or_refuses([&] { read_step_record(path); });
  reads_or_refuses([&] { Pack(path).verify(); });
  reads_or_refuses([&] { read_merged_record(path); });
  reads_or_refuses([&] { read_curvature_record(path); });
  verify(path);
  return 0;
}
