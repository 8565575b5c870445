#pragma once
// A copy of the pack on a disk of each node (--stage), so that samples don't come over the network.
#include <filesystem>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"

namespace palimpsest {

// Collective. Where this rank is to read the pack: a file of `folder` with the pack's content hash
// in its name, which one rank of the node has found whole or has copied there and read again; or
// `pack` itself where that could not be done, which that rank says on stderr. Throws InputError
// where `pack` is no pack.
std::filesystem::path staged_pack(const std::filesystem::path& pack,
                                  const std::filesystem::path& folder, HostGroup& group,
                                  Watchdog& watchdog);

}  // namespace palimpsest
