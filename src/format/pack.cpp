#include "palimpsest/format/pack.h"

#include <algorithm>
#include <set>

#include "content_hash.h"
#include "h5.h"
#include "mapped_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::int64_t kTokenBytes = sizeof(std::int32_t);
constexpr std::int64_t kColours = 3;
constexpr std::int64_t kLongestSide = 1 << 16;  // of an image

}  // namespace

struct Pack::Impl {
  std::filesystem::path path;
  std::string kind, content_sha256;
  std::int64_t vocabulary = 0, longest = 0;
  std::vector<std::string> classes;
  std::vector<std::int64_t> offsets, shape;
  std::vector<std::uint32_t> checksums;
  std::vector<std::int32_t> labels;
  std::vector<std::uint8_t> split;
  std::unique_ptr<MappedFile> mapping;
  std::vector<std::byte> copy;  // where the file does not align /bytes for int32
  std::span<const std::byte> bytes;

  explicit Impl(const std::filesystem::path& file_path) : path(file_path) {
    const H5File file(path, "pack");
    kind = file.text("/@kind");
    if (kind != "tokens" && kind != "pixels" && kind != "encoded") {
      file.refuse("/@kind", "\"tokens\", \"pixels\" or \"encoded\"", "\"" + kind + "\"");
    }
    content_sha256 = file.text("/@content_sha256");
    if (holds_texts()) {
      vocabulary = file.number<std::int64_t>("/@vocabulary");
      longest = file.number<std::int64_t>("/@longest");
    }
    classes = file.texts("/classes");
    labels = file.numbers<std::int32_t>("/labels", {kAnyLength});
    const auto samples = static_cast<std::int64_t>(labels.size());
    split = file.numbers<std::uint8_t>("/split", {samples});
    checksums = file.numbers<std::uint32_t>("/crc32c", {samples});
    shape = file.numbers<std::int64_t>("/shape", {samples, dimensions()});
    offsets = file.numbers<std::int64_t>("/offsets", {samples + 1});
    check_classes(file);
    check_samples(file);
    map_bytes(file);
  }

  bool holds_texts() const { return kind == "tokens"; }
  // Numbers that say the shape of a sample: tokens, or height, width and colours.
  std::int64_t dimensions() const { return holds_texts() ? 1 : 3; }

  void check_classes(const H5File& file) const {
    if (std::set<std::string>(classes.begin(), classes.end()).size() != classes.size()) {
      file.refuse("/classes", "every class once", "a class that stands twice");
    }
    const auto wrong = std::find_if(labels.begin(), labels.end(), [&](std::int32_t label) {
      return label < 0 || static_cast<std::size_t>(label) >= classes.size();
    });
    if (wrong != labels.end()) {
      file.refuse("/labels", concat("labels from 0 to ", classes.size() - 1),
                  std::to_string(*wrong));
    }
  }

  void check_samples(const H5File& file) const {
    if (offsets.front() != 0)
      file.refuse("/offsets", "0 at first", std::to_string(offsets.front()));
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (split[i] > 1) file.refuse("/split", "0 or 1", concat("sample ", i, ": ", int{split[i]}));
      const std::int64_t size = holds_texts() ? check_text(file, i) : check_image(file, i);
      // Compared as differences from values already checked, so that nothing overflows.
      if (offsets[i + 1] <= offsets[i] || (size > 0 && offsets[i + 1] - offsets[i] != size)) {
        file.refuse("/offsets",
                    size > 0 ? concat("offsets that grow by the ", size, " bytes of the sample")
                             : "offsets that grow",
                    concat("sample ", i, ": ", offsets[i], " to ", offsets[i + 1]));
      }
    }
    if (holds_texts() && *std::max_element(shape.begin(), shape.end()) != longest) {
      file.refuse("/@longest", "the largest of /shape", std::to_string(longest));
    }
  }

  // Bytes that a sample must have; 0 when its shape doesn't say.
  std::int64_t check_text(const H5File& file, std::size_t i) const {
    if (shape[i] < 1 || shape[i] > longest) {
      file.refuse("/shape", concat("1 to ", longest, " tokens"),
                  concat("sample ", i, ": ", shape[i]));
    }
    return shape[i] * kTokenBytes;
  }

  std::int64_t check_image(const H5File& file, std::size_t i) const {
    const std::int64_t height = shape[3 * i], width = shape[3 * i + 1], colours = shape[3 * i + 2];
    if (height < 1 || height > kLongestSide || width < 1 || width > kLongestSide ||
        colours != kColours) {
      file.refuse("/shape", concat("height and width from 1 to ", kLongestSide, ", and 3"),
                  concat("sample ", i, ": ", height, ", ", width, ", ", colours));
    }
    return kind == "pixels" ? height * width * kColours : 0;
  }

  void map_bytes(const H5File& file) {
    const H5Dims found = file.dims("/bytes");
    const std::int64_t total = offsets.back();
    if (file.open("/bytes").type != "u1" || found != H5Dims{total}) {
      file.refuse("/bytes", concat("u1 [", total, "]"), "another type or length");
    }
    const auto begin = static_cast<std::size_t>(file.offset_in_file("/bytes"));
    mapping = std::make_unique<MappedFile>(path);
    if (mapping->bytes().size() < begin + static_cast<std::size_t>(total)) {
      file.refuse("/bytes", concat(total, " bytes from ", begin), "a shorter file");
    }
    mapping->expect_random_access();
    bytes = mapping->bytes().subspan(begin, static_cast<std::size_t>(total));
    if (holds_texts() && begin % kTokenBytes != 0) {
      copy.assign(bytes.begin(), bytes.end());
      bytes = copy;
    }
  }

  [[noreturn]] void refuse_sample(std::int64_t i, const std::string& problem) const {
    throw InputError(concat(path.string(), ": /bytes, sample ", i, ": ", problem,
                            ". The file is damaged: make the pack again."));
  }

  std::span<const std::byte> checked_sample(std::int64_t sample) const {
    const auto i = static_cast<std::size_t>(sample);
    const std::uint32_t expected = checksums.at(i);
    const std::span<const std::byte> data =
        bytes.subspan(static_cast<std::size_t>(offsets[i]),
                      static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
    const std::uint32_t found = crc32c(data);
    if (found != expected) {
      refuse_sample(sample, concat("expected CRC-32C ", expected, ", found ", found));
    }
    return data;
  }
};

Pack::Pack(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
Pack::~Pack() = default;
Pack::Pack(Pack&&) noexcept = default;

const std::string& Pack::kind() const { return impl_->kind; }
const std::string& Pack::content_sha256() const { return impl_->content_sha256; }
const std::filesystem::path& Pack::path() const { return impl_->path; }
const std::vector<std::string>& Pack::classes() const { return impl_->classes; }
std::int64_t Pack::size() const { return static_cast<std::int64_t>(impl_->labels.size()); }
std::int64_t Pack::vocabulary() const { return impl_->vocabulary; }
std::int64_t Pack::longest() const { return impl_->longest; }

std::int32_t Pack::label(std::int64_t sample) const {
  return impl_->labels.at(static_cast<std::size_t>(sample));
}

bool Pack::is_test(std::int64_t sample) const {
  return impl_->split.at(static_cast<std::size_t>(sample)) == 1;
}

PackedImage Pack::image(std::int64_t sample) const {
  const auto i = static_cast<std::size_t>(sample);
  return {.bytes = impl_->checked_sample(sample),
          .height = impl_->shape.at(3 * i),
          .width = impl_->shape.at(3 * i + 1),
          .jpeg = impl_->kind == "encoded",
          .sample = sample};
}

std::span<const std::int32_t> Pack::tokens(std::int64_t sample) const {
  const std::span<const std::byte> bytes = impl_->checked_sample(sample);
  const std::span<const std::int32_t> ids(reinterpret_cast<const std::int32_t*>(bytes.data()),
                                          bytes.size() / kTokenBytes);
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= impl_->vocabulary) {
      impl_->refuse_sample(sample,
                           concat("expected token ids below ", impl_->vocabulary, ", found ", id));
    }
  }
  return ids;
}

std::int64_t Pack::length(std::int64_t sample) const {
  return impl_->shape.at(static_cast<std::size_t>(sample));
}

void Pack::verify_samples() const {
  for (std::int64_t sample = 0; sample < size(); ++sample) {
    if (holds_texts()) {
      tokens(sample);
    } else {
      image(sample);
    }
    progress_made();
  }
}

void Pack::verify() const {
  const Impl& pack = *impl_;
  const std::int64_t samples = size();
  const std::string kind_text = pack.kind + '\0';
  const std::string class_texts = joined_texts(pack.classes);
  const auto bytes_of = [](const auto& values) { return std::as_bytes(std::span(values)); };
  ContentHash hash;
  hash.add("/@kind", "str", {}, bytes_of(kind_text));
  if (holds_texts()) {
    hash.add("/@vocabulary", "i8", {}, std::as_bytes(std::span(&pack.vocabulary, 1)));
  }
  hash.add("/bytes", "u1", {static_cast<std::int64_t>(pack.bytes.size())}, pack.bytes);
  hash.add("/classes", "str", {static_cast<std::int64_t>(pack.classes.size())},
           bytes_of(class_texts));
  hash.add("/labels", "i4", {samples}, bytes_of(pack.labels));
  hash.add("/offsets", "i8", {samples + 1}, bytes_of(pack.offsets));
  hash.add("/shape", "i8", {samples, pack.dimensions()}, bytes_of(pack.shape));
  hash.add("/split", "u1", {samples}, bytes_of(pack.split));
  if (pack.mapping != nullptr) pack.mapping->forget_pages();  // the hash has read all of them
  const std::string found = hash.hex();
  if (found != pack.content_sha256) {
    throw InputError(concat(pack.path.string(), ": /@content_sha256: expected ",
                            pack.content_sha256, ", found ", found,
                            ". The file is damaged: make the pack again."));
  }
}

}  // namespace palimpsest
