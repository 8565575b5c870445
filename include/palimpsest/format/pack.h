#pragma once
// A pack: all samples of a stream in one HDF5 file whose bytes are mapped, not read. It is taken
// whole or refused by the object that is wrong. checkpoints_schema/pack.md.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace palimpsest {

// One image of a pack, with its size after decoding.
struct PackedImage {
  std::span<const std::byte> bytes;  // a JPEG file, or uint8 RGB [height, width, 3]
  std::int64_t height = 0, width = 0;
  bool jpeg = false;        // of kind "encoded"
  std::int64_t sample = 0;  // its place in the pack, for messages
};

class MappedFile;

// Tokens of a sample that are predicted: from begin to end, without end.
struct Completion {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

// What a pack says, except for its samples' bytes.
struct PackContents {
  std::string kind, source;
  std::int64_t vocabulary = 0, longest = 0;
  std::vector<std::uint8_t> bytes;  // not read
  std::int64_t total = 0, samples = 0, dimensions = 0;
  std::vector<std::int64_t> offsets, shape;
  // Of kind "sequences": two numbers for each completion, and where those of a sample begin.
  std::int64_t completion_count = 0;
  std::vector<std::int64_t> completions, completion_offsets;
  std::vector<std::uint32_t> checksums;
  std::vector<std::int32_t> labels;
  std::vector<std::uint8_t> split;
  std::vector<std::string> classes;
};

class Pack {
 public:
  // Opens, checks type, version, shapes, offsets and ranges, and maps /bytes. Throws InputError.
  // The content hash is read, not recomputed; see verify().
  explicit Pack(const std::filesystem::path& path);

  const std::string& kind() const {
    return contents_.kind;
  }  // tokens | sequences | pixels | encoded
  bool has_completions() const { return kind() == "sequences"; }
  bool has_texts() const { return kind() == "tokens" || has_completions(); }
  const std::string& content_sha256() const { return content_sha256_; }
  const std::filesystem::path& path() const { return path_; }
  const std::vector<std::string>& classes() const { return contents_.classes; }
  std::int64_t size() const { return std::ssize(contents_.labels); }  // samples
  // An index into classes().
  std::int32_t label(std::int64_t sample) const { return of(contents_.labels, sample); }
  bool is_test(std::int64_t sample) const { return of(contents_.split, sample) == 1; }

  // The token ids of a text, or an image, by the kind of the pack; checked against their CRC32C on
  // every call. Throws InputError.
  std::span<const std::int32_t> tokens(std::int64_t sample) const;
  // How many tokens a text has; its bytes are not read.
  std::int64_t length(std::int64_t sample) const { return of(contents_.shape, sample); }
  // Of a pack that has_completions(): those of a sample, in order; and how many tokens they have.
  std::vector<Completion> completions(std::int64_t sample) const;
  std::int64_t completion_tokens(std::int64_t sample) const;
  PackedImage image(std::int64_t sample) const;
  // Without the check, and without reading its bytes: for an image whose pixels are on the device.
  PackedImage unread_image(std::int64_t sample) const;

  // Of texts: the vocabulary size (token ids are below it) and the longest sample, as the header
  // states them (checked against the backbone's before training).
  std::int64_t vocabulary() const { return contents_.vocabulary; }
  std::int64_t longest() const { return contents_.longest; }

  // Recomputes content_sha256 over everything. Throws InputError on a mismatch.
  void verify() const;
  // Reads every sample, which checks its CRC32C. Throws InputError.
  void verify_samples() const;

 private:
  template <typename T>
  static T of(const std::vector<T>& values, std::int64_t sample) {
    return values.at(static_cast<std::size_t>(sample));
  }
  std::span<const std::byte> bytes_of(std::int64_t sample) const;
  std::span<const std::byte> checked_sample(std::int64_t sample) const;
  [[noreturn]] void refuse_sample(std::int64_t sample, const std::string& problem) const;

  std::filesystem::path path_;
  PackContents contents_;
  std::string content_sha256_;
  std::shared_ptr<const MappedFile> mapping_;
  std::shared_ptr<const std::vector<std::byte>> copy_;  // where /bytes isn't aligned for int32
  std::span<const std::byte> data_;                     // of all samples
};

}  // namespace palimpsest
