#pragma once
// SHA-256 names content; CRC32C guards bulk data against flipped bits.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace palimpsest {

class Sha256 {
 public:
  Sha256();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);

  // The digest of all that was given, as 64 lower-case hexadecimal digits. Ends the computation.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string sha256(std::span<const std::byte> bytes);
std::string sha256(std::string_view text);

// Throws InputError when the file cannot be read.
std::string sha256_file(const std::filesystem::path& path);

// CRC-32C (Castagnoli, reflected, as in iSCSI and TFRecord). Pass an earlier result to continue it.
// By the processor's instruction where it has one and `by_instruction`, else by table: the same
// number.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0,
                     bool by_instruction = true);

}  // namespace palimpsest
