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

class Pack {
 public:
  // Opens, checks type, version, shapes, offsets and ranges, and maps /bytes. Throws InputError.
  // The content hash is read, not recomputed; see verify().
  explicit Pack(const std::filesystem::path& path);
  ~Pack();
  Pack(Pack&&) noexcept;

  const std::string& kind() const;  // tokens | pixels | encoded
  bool holds_texts() const { return kind() == "tokens"; }
  const std::string& content_sha256() const;
  const std::filesystem::path& path() const;
  const std::vector<std::string>& classes() const;
  std::int64_t size() const;                      // samples
  std::int32_t label(std::int64_t sample) const;  // index into classes()
  bool is_test(std::int64_t sample) const;

  // The token ids of a text, or an image, by the kind of the pack; checked against their CRC32C on
  // every call. Throws InputError.
  std::span<const std::int32_t> tokens(std::int64_t sample) const;
  // How many tokens a text has; its bytes are not read.
  std::int64_t length(std::int64_t sample) const;
  PackedImage image(std::int64_t sample) const;

  // Of texts: the vocabulary size (token ids are below it) and the longest sample, as the header
  // states them (checked against the backbone's before training).
  std::int64_t vocabulary() const;
  std::int64_t longest() const;

  // Recomputes content_sha256 over everything. Throws InputError on a mismatch.
  void verify() const;
  // Reads every sample, which checks its CRC32C. Throws InputError.
  void verify_samples() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace palimpsest
