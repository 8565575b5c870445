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
#include "record_fields.h"

namespace palimpsest {
namespace {

constexpr std::int64_t kTokenBytes = sizeof(std::int32_t);
constexpr std::int64_t kColours = 3;
constexpr std::int64_t kLongestSide = 1 << 16;  // of an image

}  // namespace

struct Pack::Impl : PackContents {
  std::filesystem::path path;
  std::string content_sha256;
  std::unique_ptr<MappedFile> mapping;
  std::vector<std::byte> copy;      // where the file does not align /bytes for int32
  std::span<const std::byte> data;  // of all samples

  explicit Impl(const std::filesystem::path& file_path) : path(file_path) {
    const H5File file(path, "pack");
    content_sha256 = file.text("/@content_sha256");
    Fields fields(file, [](std::string_view object) { return object != "/bytes"; });
    describe(fields, contents());
    if (kind != "tokens" && kind != "pixels" && kind != "encoded") {
      file.refuse("/@kind", "\"tokens\", \"pixels\" or \"encoded\"", "\"" + kind + "\"");
    }
    if (holds_texts() && (vocabulary < 1 || longest < 1))
      file.refuse("/@vocabulary and /@longest", "numbers above 0",
                  concat(vocabulary, " and ", longest));
    const std::int64_t expected = holds_texts() ? 1 : 3;  // tokens, or height, width and colours
    if (dimensions != expected)
      file.refuse("/shape", concat(expected, " numbers a sample"), std::to_string(dimensions));
    check_classes(file);
    check_samples(file);
    map_bytes(file);
  }

  bool holds_texts() const { return kind == "tokens"; }
  PackContents& contents() { return *this; }

  void check_classes(const H5File& file) const {
    if (std::set<std::string>(classes.begin(), classes.end()).size() != classes.size()) {
      file.refuse("/classes", "every class once", "a class given twice");
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
    if (offsets.back() != total)
      file.refuse("/offsets", concat(total, ", the length of /bytes, at last"),
                  std::to_string(offsets.back()));
    const auto begin = static_cast<std::size_t>(file.offset_in_file("/bytes"));
    mapping = std::make_unique<MappedFile>(path);
    if (mapping->bytes().size() < begin + static_cast<std::size_t>(total)) {
      file.refuse("/bytes", concat(total, " bytes from ", begin), "a shorter file");
    }
    mapping->expect_random_access();
    data = mapping->bytes().subspan(begin, static_cast<std::size_t>(total));
    if (holds_texts() && begin % kTokenBytes != 0) {
      copy.assign(data.begin(), data.end());
      data = copy;
    }
  }

  [[noreturn]] void refuse_sample(std::int64_t i, const std::string& problem) const {
    throw InputError(concat(path.string(), ": /bytes, sample ", i, ": ", problem,
                            ". The file is damaged: make the pack again."));
  }

  std::span<const std::byte> checked_sample(std::int64_t sample) const {
    const auto i = static_cast<std::size_t>(sample);
    const std::uint32_t expected = checksums.at(i);
    const std::span<const std::byte> own =
        data.subspan(static_cast<std::size_t>(offsets[i]),
                     static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
    const std::uint32_t found = crc32c(own);
    if (found != expected) {
      refuse_sample(sample, concat("expected CRC-32C ", expected, ", found ", found));
    }
    return own;
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

void Pack::verify() const { check_content_hash(H5File(impl_->path, "pack")); }

}  // namespace palimpsest
