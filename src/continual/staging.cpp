#include "staging.h"

#include <algorithm>
#include <iostream>
#include <string>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/pack.h"

namespace palimpsest {
namespace {

constexpr std::string_view kStaging = "staging the pack";

// Throws InputError unless it is the very pack, down to the checksum of every sample.
void check_copy(const std::filesystem::path& copy, const std::string& content_sha256) {
  const Pack pack(copy);
  if (pack.content_sha256() != content_sha256) {
    throw InputError(concat(copy.string(), ": expected the pack with the content hash ",
                            content_sha256, ", found ", pack.content_sha256()));
  }
  pack.verify();
  pack.verify_samples();
}

// Makes sure that `copy` is there and whole. Throws Error or filesystem_error.
void stage(const std::filesystem::path& pack, const std::filesystem::path& copy,
           const std::string& content_sha256) {
  std::filesystem::create_directories(copy.parent_path());
  if (std::filesystem::exists(copy)) {
    try {
      return check_copy(copy, content_sha256);
    } catch (const Error& error) {
      std::cerr << concat("palimpsest: --stage: ", error.what(), " Copying it once more.\n");
      std::filesystem::remove(copy);
    }
  }
  const std::uintmax_t needed = std::filesystem::file_size(pack);
  const std::uintmax_t free = std::filesystem::space(copy.parent_path()).available;
  if (needed > free) {
    throw Error(concat("expected ", needed, " free bytes in ", copy.parent_path().string(),
                       ", found ", free));
  }
  AtomicFile file(copy);
  copy_content(pack, file.temporary());
  check_copy(file.temporary(), content_sha256);
  file.commit();
}

}  // namespace

std::filesystem::path staged_pack(const std::filesystem::path& pack,
                                  const std::filesystem::path& folder, HostGroup& group,
                                  Watchdog& watchdog) {
  const Watchdog::Phase phase(watchdog, kStaging, 10);
  const std::string content_sha256 = Pack(pack).content_sha256();
  if (content_sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw InputError(concat(pack.string(), ": /@content_sha256: expected a hash, found \"",
                            content_sha256, "\""));
  }
  const std::filesystem::path copy = folder / concat("pack-", content_sha256, ".h5");
  std::string failed;  // this host, where it has no copy
  group.work("one rank of each node", [&] {
    if (group.node_rank() != 0) return;
    try {
      stage(pack, copy, content_sha256);
    } catch (const std::exception& error) {
      failed = host_name();
      std::cerr << concat("palimpsest: host ", host_name(), ": --stage ", folder.string(), ": ",
                          error.what(), ". Reading ", pack.string(), " where it is\n");
    }
  });
  std::vector<std::string> hosts = group.gather(failed, kStaging);
  group.broadcast(hosts, 0, kStaging);
  return std::ranges::count(hosts, host_name()) == 0 ? copy : pack;
}

}  // namespace palimpsest
