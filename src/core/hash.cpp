#include "palimpsest/core/hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

void Sha256::Free::operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
    throw Error("SHA-256 is not available in this OpenSSL");
  }
}

void Sha256::update(std::span<const std::byte> bytes) {
  constexpr std::size_t kPart = 1 << 20;  // mapped bytes may come from a slow disk
  while (!bytes.empty()) {
    const std::span<const std::byte> part = bytes.first(std::min(bytes.size(), kPart));
    if (EVP_DigestUpdate(context_.get(), part.data(), part.size()) != 1)
      throw Error("SHA-256 failed");
    bytes = bytes.subspan(part.size());
    progress_made();
  }
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1) throw Error("SHA-256 failed");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(concat("cannot read ", path.string(), ": ", std::strerror(errno)));
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         file.gcount() > 0) {
    hash.update(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(file.gcount()))));
  }
  if (file.bad())
    throw InputError(concat("cannot read ", path.string(), ": ", std::strerror(errno)));
  return hash.hex();
}

namespace {

// Slicing-by-8 tables of the reflected polynomial 0x1EDC6F41.
using Crc32cTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Crc32cTables make_tables() {
  Crc32cTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0u);
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < 8; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 255];
    }
  }
  return tables;
}

constexpr Crc32cTables kTables = make_tables();

std::uint64_t first_word(std::span<const std::byte> bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data(), 8);  // little-endian, as all files of this format
  return word;
}

// These two take whole words from the front of `bytes` and return the inverted sum.
std::uint32_t sum_words(std::span<const std::byte>& bytes, std::uint32_t crc) {
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    const std::uint64_t word = first_word(bytes) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][(word >> (8 * i)) & 255];
  }
  return crc;
}

#ifdef __x86_64__
[[gnu::target("sse4.2")]] std::uint32_t sum_by_instruction(std::span<const std::byte>& bytes,
                                                           std::uint32_t crc) {
  std::uint64_t sum = crc;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8))
    sum = __builtin_ia32_crc32di(sum, first_word(bytes));
  return static_cast<std::uint32_t>(sum);
}
bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }
#else
std::uint32_t sum_by_instruction(std::span<const std::byte>& bytes, std::uint32_t crc) {
  return sum_words(bytes, crc);
}
bool has_instruction() { return false; }
#endif

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc, bool by_instruction) {
  crc = by_instruction && has_instruction() ? sum_by_instruction(bytes, ~crc)
                                            : sum_words(bytes, ~crc);
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(byte)) & 255];
  }
  return ~crc;
}

}  // namespace palimpsest
