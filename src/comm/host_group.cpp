#include "palimpsest/comm/host_group.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "mpi_check.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

struct HostGroup::Impl {
  Watchdog& watchdog;
  Communicator world;
  std::size_t largest_message;
  int node_rank = 0;
  // Of work(). A part that throws may leave a round that MPI still writes to.
  MPI_Request round = MPI_REQUEST_NULL;
  int done_here = 0, done_everywhere = 0;

  Impl(Watchdog& dog, std::size_t largest) : watchdog(dog), world(dog), largest_message(largest) {
    MPI_Comm node = MPI_COMM_NULL;
    check(
        MPI_Comm_split_type(world.get(), MPI_COMM_TYPE_SHARED, world.rank(), MPI_INFO_NULL, &node),
        "MPI_Comm_split_type");
    check(MPI_Comm_rank(node, &node_rank), "MPI_Comm_rank");
    check(MPI_Comm_free(&node), "MPI_Comm_free");
  }

  void check(int code, std::string_view call) const { check_mpi(code, call, watchdog); }

  std::int64_t max(std::int64_t value) const {
    check(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, world.get()),
          "MPI_Allreduce");
    return value;
  }

  // An exchange that doesn't block. It ends when every rank has joined in, which proves that all
  // of them are still working, or are done.
  void start_round(bool done) {
    done_here = done ? 1 : 0;
    check(MPI_Iallreduce(&done_here, &done_everywhere, 1, MPI_INT, MPI_MIN, world.get(), &round),
          "MPI_Iallreduce");
  }

  bool round_has_ended() {
    int ended = 0;
    check(MPI_Test(&round, &ended, MPI_STATUS_IGNORE), "MPI_Test");
    return ended != 0;
  }

  void broadcast(std::span<std::byte> bytes, int root) const {
    in_parts(bytes.size(), largest_message, [&](std::size_t offset, int count) {
      check(MPI_Bcast(bytes.data() + offset, count, MPI_BYTE, root, world.get()), "MPI_Bcast");
    });
  }

  void broadcast(std::string& text, int root) const {
    std::int64_t size = static_cast<std::int64_t>(text.size());
    check(MPI_Bcast(&size, 1, MPI_INT64_T, root, world.get()), "MPI_Bcast");
    text.resize(static_cast<std::size_t>(size));
    broadcast(std::as_writable_bytes(std::span(text)), root);
  }

  void send_to_root(std::string_view text) const {
    const std::int64_t size = static_cast<std::int64_t>(text.size());
    check(MPI_Send(&size, 1, MPI_INT64_T, 0, 0, world.get()), "MPI_Send");
    in_parts(text.size(), largest_message, [&](std::size_t offset, int count) {
      check(MPI_Send(text.data() + offset, count, MPI_BYTE, 0, 0, world.get()), "MPI_Send");
    });
  }

  std::string receive_from(int rank) const {
    std::int64_t size = 0;
    check(MPI_Recv(&size, 1, MPI_INT64_T, rank, 0, world.get(), MPI_STATUS_IGNORE), "MPI_Recv");
    std::string text(static_cast<std::size_t>(size), '\0');
    in_parts(text.size(), largest_message, [&](std::size_t offset, int count) {
      check(
          MPI_Recv(text.data() + offset, count, MPI_BYTE, rank, 0, world.get(), MPI_STATUS_IGNORE),
          "MPI_Recv");
    });
    return text;
  }

  std::vector<std::string> gather(std::string_view text) const {
    if (world.rank() != 0) {
      send_to_root(text);
      return {};
    }
    std::vector<std::string> texts = {std::string(text)};
    for (int rank = 1; rank < world.size(); ++rank) texts.push_back(receive_from(rank));
    return texts;
  }
};

namespace {

// Where the values begin to differ.
std::size_t first_difference(const std::vector<std::string>& values) {
  std::size_t same = values.front().size();
  for (const std::string& value : values) {
    const auto ends =
        std::mismatch(value.begin(), value.end(), values.front().begin(), values.front().end());
    same = std::min(same, static_cast<std::size_t>(ends.first - value.begin()));
  }
  return same;
}

// "'a' on rank 0, 2; 'b' on rank 1", in the order of the lowest rank; of long values, the part
// around the first difference.
std::string values_with_ranks(const std::vector<std::string>& values) {
  if (values.empty()) return "";  // on all ranks but 0
  constexpr std::size_t kShown = 120, kBefore = 60;
  const std::size_t difference = first_difference(values);
  const std::size_t first = difference > kBefore ? difference - kBefore : 0;
  std::map<std::string, std::string> ranks_by_value;
  std::vector<std::string> order;
  for (std::size_t rank = 0; rank < values.size(); ++rank) {
    std::string& ranks = ranks_by_value[values[rank]];
    if (ranks.empty()) order.push_back(values[rank]);
    ranks += concat(ranks.empty() ? "" : ", ", rank);
  }
  std::string text;
  for (const std::string& value : order) {
    text += concat(text.empty() ? "'" : "; '", first > 0 ? "..." : "", value.substr(first, kShown),
                   value.size() > first + kShown ? "...' on rank " : "' on rank ",
                   ranks_by_value[value]);
  }
  return text;
}

}  // namespace

HostGroup::HostGroup(Watchdog& watchdog, std::size_t largest_message) {
  const Watchdog::Phase named(watchdog, "host group start");
  impl_ = std::make_unique<Impl>(watchdog, largest_message);
}

HostGroup::~HostGroup() = default;

int HostGroup::rank() const { return impl_->world.rank(); }
int HostGroup::size() const { return impl_->world.size(); }
int HostGroup::node_rank() const { return impl_->node_rank; }

void HostGroup::barrier(std::string_view phase) {
  const CollectivePhase named(impl_->watchdog, phase);
  impl_->check(MPI_Barrier(impl_->world.get()), "MPI_Barrier");
}

bool HostGroup::any(bool value, std::string_view phase) { return max(value ? 1 : 0, phase) == 1; }

std::int64_t HostGroup::max(std::int64_t value, std::string_view phase) {
  const CollectivePhase named(impl_->watchdog, phase);
  return impl_->max(value);
}

void HostGroup::sum(std::span<std::int64_t> values, std::string_view phase) {
  const CollectivePhase named(impl_->watchdog, phase);
  in_parts(values.size(), impl_->largest_message, [&](std::size_t offset, int count) {
    impl_->check(MPI_Allreduce(MPI_IN_PLACE, values.data() + offset, count, MPI_INT64_T, MPI_SUM,
                               impl_->world.get()),
                 "MPI_Allreduce");
  });
}

void HostGroup::sum(std::span<double> values, std::string_view phase) {
  const std::vector<std::vector<double>> parts = gather(std::span<const double>(values), phase);
  for (std::size_t rank = 1; rank < parts.size(); ++rank) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += parts[rank][i];
  }
  broadcast(values, 0, phase);
}

void HostGroup::broadcast(std::span<std::byte> bytes, int root, std::string_view phase) {
  const CollectivePhase named(impl_->watchdog, phase);
  impl_->broadcast(bytes, root);
}

void HostGroup::copy(std::span<std::byte> bytes, int from, int to, std::string_view phase) {
  if (from == to || (rank() != from && rank() != to)) return;
  const CollectivePhase named(impl_->watchdog, phase);
  const MPI_Comm world = impl_->world.get();
  in_parts(bytes.size(), impl_->largest_message, [&](std::size_t offset, int count) {
    std::byte* const part = bytes.data() + offset;
    if (rank() == from) {
      impl_->check(MPI_Send(part, count, MPI_BYTE, to, 0, world), "MPI_Send");
    } else {
      impl_->check(MPI_Recv(part, count, MPI_BYTE, from, 0, world, MPI_STATUS_IGNORE), "MPI_Recv");
    }
  });
}

std::string HostGroup::broadcast(std::string text, int root, std::string_view phase) {
  const CollectivePhase named(impl_->watchdog, phase);
  impl_->broadcast(text, root);
  return text;
}

void HostGroup::broadcast(std::vector<std::string>& texts, int root, std::string_view phase) {
  std::vector<std::uint64_t> sizes;
  std::string joined;
  for (const std::string& text : texts) {
    sizes.push_back(text.size());
    joined += text;
  }
  broadcast(sizes, root, phase);
  joined = broadcast(std::move(joined), root, phase);
  texts.clear();
  std::size_t begin = 0;
  for (const std::uint64_t size : sizes) {
    texts.push_back(joined.substr(begin, size));
    begin += size;
  }
}

void HostGroup::agree(std::string_view value, std::string_view what, std::string_view phase) {
  const CollectivePhase named(impl_->watchdog, phase);
  std::string of_root(value);
  impl_->broadcast(of_root, 0);
  if (impl_->max(of_root == value ? 0 : 1) == 0) return;

  std::string values = values_with_ranks(impl_->gather(value));
  impl_->broadcast(values, 0);
  throw Error(
      concat("the ranks disagree on ", what, ": ", values,
             ". All ranks must run the same program with the same settings on the same files"));
}

void HostGroup::do_part(std::string_view phase, const std::function<void()>& part) {
  if (size() == 1) return part();
  using Clock = std::chrono::steady_clock;
  constexpr auto kBetweenRounds = std::chrono::milliseconds(100);
  constexpr auto kPause = std::chrono::milliseconds(1);
  Watchdog& watchdog = impl_->watchdog;
  impl_->done_everywhere = 0;
  {
    const Watchdog::Phase named(watchdog, phase);
    Clock::time_point last = Clock::now();
    const ProgressListener listener([&] {
      const Clock::time_point now = Clock::now();
      if (now - last < kBetweenRounds) return;
      last = now;
      watchdog.progress();
      if (impl_->round_has_ended()) impl_->start_round(false);
    });
    part();
  }
  const CollectivePhase named(watchdog, concat("waiting for others: ", phase));
  while (true) {
    while (!impl_->round_has_ended()) std::this_thread::sleep_for(kPause);
    if (impl_->done_everywhere) return;
    watchdog.progress();
    impl_->start_round(true);
  }
}

std::vector<std::string> HostGroup::gather(std::string_view text, std::string_view phase) {
  const CollectivePhase named(impl_->watchdog, phase);
  return impl_->gather(text);
}

}  // namespace palimpsest
