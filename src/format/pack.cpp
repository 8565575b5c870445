#include "palimpsest/format/pack.h"

#include <algorithm>
#include <set>

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

// What the description of a pack doesn't say.
struct Checks {
  const H5File& file;
  const PackContents& pack;

  bool has_completions() const { return pack.kind == "sequences"; }
  bool has_texts() const { return pack.kind == "tokens" || has_completions(); }

  void check() const {
    if (!has_texts() && pack.kind != "pixels" && pack.kind != "encoded")
      file.refuse("/@kind", "\"tokens\", \"sequences\", \"pixels\" or \"encoded\"",
                  concat('"', pack.kind, '"'));
    if (has_texts() && (pack.vocabulary < 1 || pack.longest < 1))
      file.refuse("/@vocabulary and /@longest", "numbers above 0",
                  concat(pack.vocabulary, " and ", pack.longest));
    const std::int64_t expected = has_texts() ? 1 : 3;  // tokens, or height, width and colours
    if (pack.dimensions != expected)
      file.refuse("/shape", concat(expected, " numbers a sample"), std::to_string(pack.dimensions));
    check_classes();
    check_samples();
    if (pack.offsets.back() != pack.total)
      file.refuse("/offsets", concat(pack.total, ", the length of /bytes, at last"),
                  std::to_string(pack.offsets.back()));
    if (has_completions()) check_completions();
    if (!has_completions() && !pack.completions.empty())
      file.refuse("/completions", "none in a pack of another kind than sequences",
                  std::to_string(pack.completion_count));
  }

  void check_classes() const {
    if (std::set<std::string>(pack.classes.begin(), pack.classes.end()).size() !=
        pack.classes.size()) {
      file.refuse("/classes", "every class once", "a class given twice");
    }
    const auto wrong =
        std::find_if(pack.labels.begin(), pack.labels.end(), [&](std::int32_t label) {
          return label < 0 || static_cast<std::size_t>(label) >= pack.classes.size();
        });
    if (wrong != pack.labels.end()) {
      file.refuse("/labels", concat("labels from 0 to ", pack.classes.size() - 1),
                  std::to_string(*wrong));
    }
  }

  void check_samples() const {
    if (pack.offsets.front() != 0)
      file.refuse("/offsets", "0 at first", std::to_string(pack.offsets.front()));
    for (std::size_t i = 0; i < pack.labels.size(); ++i) {
      if (pack.split[i] > 1)
        file.refuse("/split", "0 or 1", concat("sample ", i, ": ", int{pack.split[i]}));
      const std::int64_t size = has_texts() ? check_text(i) : check_image(i);
      // Compared as differences from values already checked, so that nothing overflows.
      if (pack.offsets[i + 1] <= pack.offsets[i] ||
          (size > 0 && pack.offsets[i + 1] - pack.offsets[i] != size)) {
        file.refuse("/offsets",
                    size > 0 ? concat("offsets that grow by the ", size, " bytes of the sample")
                             : "offsets that grow",
                    concat("sample ", i, ": ", pack.offsets[i], " to ", pack.offsets[i + 1]));
      }
    }
    if (has_texts() && *std::max_element(pack.shape.begin(), pack.shape.end()) != pack.longest) {
      file.refuse("/@longest", "the largest of /shape", std::to_string(pack.longest));
    }
  }

  void check_completions() const {
    if (pack.completions.empty() || pack.completion_offsets.empty())
      file.refuse("/completions and /completion_offsets", "arrays", "none");
    const std::vector<std::int64_t>& offsets = pack.completion_offsets;
    if (offsets.front() != 0 || offsets.back() != pack.completion_count)
      file.refuse("/completion_offsets",
                  concat("0 at first and ", pack.completion_count, " at last"),
                  concat(offsets.front(), " and ", offsets.back()));
    for (std::size_t i = 0; i < pack.labels.size(); ++i) {
      if (offsets[i + 1] <= offsets[i] || offsets[i + 1] > pack.completion_count)
        file.refuse("/completion_offsets", "offsets that grow: a completion in every sample",
                    concat("sample ", i, ": ", offsets[i], " to ", offsets[i + 1]));
      std::int64_t before = 1;  // what predicts the first token
      for (auto k = static_cast<std::size_t>(offsets[i]); std::cmp_less(k, offsets[i + 1]); ++k) {
        const std::int64_t begin = pack.completions[2 * k], end = pack.completions[2 * k + 1];
        if (begin < before || end <= begin || end > pack.shape[i])
          file.refuse("/completions",
                      concat("begin and end in order, from ", before, " to ", pack.shape[i]),
                      concat("sample ", i, ": ", begin, " to ", end));
        before = end;
      }
    }
  }

  // Bytes that a sample must have; 0 when its shape doesn't say.
  std::int64_t check_text(std::size_t i) const {
    if (pack.shape[i] < 1 || pack.shape[i] > pack.longest) {
      file.refuse("/shape", concat("1 to ", pack.longest, " tokens"),
                  concat("sample ", i, ": ", pack.shape[i]));
    }
    return pack.shape[i] * kTokenBytes;
  }

  std::int64_t check_image(std::size_t i) const {
    const std::int64_t height = pack.shape[3 * i], width = pack.shape[3 * i + 1],
                       colours = pack.shape[3 * i + 2];
    if (height < 1 || height > kLongestSide || width < 1 || width > kLongestSide ||
        colours != kColours) {
      file.refuse("/shape", concat("height and width from 1 to ", kLongestSide, ", and 3"),
                  concat("sample ", i, ": ", height, ", ", width, ", ", colours));
    }
    return pack.kind == "pixels" ? height * width * kColours : 0;
  }
};

}  // namespace

Pack::Pack(const std::filesystem::path& path) : path_(path) {
  const H5File file(path, "pack");
  content_sha256_ = file.text("/@content_sha256");
  Fields fields(file, [](std::string_view object) { return object != "/bytes"; });
  describe(fields, contents_);
  Checks{file, contents_}.check();
  const auto total = static_cast<std::size_t>(contents_.total);
  const auto begin = static_cast<std::size_t>(file.offset_in_file("/bytes"));
  mapping_ = std::make_shared<MappedFile>(path);
  if (mapping_->bytes().size() < begin + total)
    file.refuse("/bytes", concat(total, " bytes from ", begin), "a shorter file");
  mapping_->expect_random_access();
  data_ = mapping_->bytes().subspan(begin, total);
  if (has_texts() && begin % kTokenBytes != 0) {
    copy_ = std::make_shared<std::vector<std::byte>>(data_.begin(), data_.end());
    data_ = *copy_;
  }
}

void Pack::refuse_sample(std::int64_t sample, const std::string& problem) const {
  throw InputError(concat(path_.string(), ": /bytes, sample ", sample, ": ", problem,
                          ". The file is damaged: make the pack again."));
}

std::span<const std::byte> Pack::bytes_of(std::int64_t sample) const {
  const std::int64_t begin = of(contents_.offsets, sample);
  return data_.subspan(static_cast<std::size_t>(begin),
                       static_cast<std::size_t>(of(contents_.offsets, sample + 1) - begin));
}

std::span<const std::byte> Pack::checked_sample(std::int64_t sample) const {
  const std::span<const std::byte> own = bytes_of(sample);
  const std::uint32_t expected = of(contents_.checksums, sample), found = crc32c(own);
  if (found != expected)
    refuse_sample(sample, concat("expected CRC-32C ", expected, ", found ", found));
  return own;
}

PackedImage Pack::image(std::int64_t sample) const {
  checked_sample(sample);
  return unread_image(sample);
}

PackedImage Pack::unread_image(std::int64_t sample) const {
  return {.bytes = bytes_of(sample),
          .height = of(contents_.shape, 3 * sample),
          .width = of(contents_.shape, 3 * sample + 1),
          .jpeg = kind() == "encoded",
          .sample = sample};
}

std::span<const std::int32_t> Pack::tokens(std::int64_t sample) const {
  const std::span<const std::byte> bytes = checked_sample(sample);
  const std::span<const std::int32_t> ids(reinterpret_cast<const std::int32_t*>(bytes.data()),
                                          bytes.size() / kTokenBytes);
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= contents_.vocabulary) {
      refuse_sample(sample,
                    concat("expected token ids below ", contents_.vocabulary, ", found ", id));
    }
  }
  return ids;
}

std::vector<Completion> Pack::completions(std::int64_t sample) const {
  std::vector<Completion> all;
  const std::int64_t end = of(contents_.completion_offsets, sample + 1);
  for (std::int64_t k = of(contents_.completion_offsets, sample); k < end; ++k)
    all.push_back({of(contents_.completions, 2 * k), of(contents_.completions, 2 * k + 1)});
  return all;
}

std::int64_t Pack::completion_tokens(std::int64_t sample) const {
  std::int64_t tokens = 0;
  for (const Completion& completion : completions(sample)) tokens += completion.size();
  return tokens;
}

void Pack::verify_samples() const {
  for (std::int64_t sample = 0; sample < size(); ++sample) {
    if (has_texts()) {
      tokens(sample);
    } else {
      image(sample);
    }
    progress_made();
  }
}

void Pack::verify() const { check_content_hash(H5File(path_, "pack")); }

}  // namespace palimpsest
