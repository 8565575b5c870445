#include <chrono>
#include <exception>
#include <future>
#include <thread>
#include <utility>

#include "palimpsest/comm/nccl.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr auto kPoll = std::chrono::microseconds(20);
constexpr auto kSpin = std::chrono::milliseconds(1);

std::string describe_exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) {
  const auto total = [](std::span<const Transfer> transfers) {
    std::size_t count = 0;
    for (const Transfer& transfer : transfers) count += transfer.buffer.count;
    return count;
  };
  return concat("exchange of ", sends.size(), " sends (", total(sends), " elements) and ",
                receives.size(), " receives (", total(receives), " elements)");
}

// Known on rank 0 alone, and so is its failure: both are sent to all.
NcclId share_unique_id(const NcclApi& api, HostGroup& group) {
  NcclId id{};
  std::string failure;
  if (group.rank() == 0) {
    const NcclResult result = api.get_unique_id(id);
    if (result != kNcclSuccess) failure = api.error_string(result, nullptr);
  }
  failure = group.broadcast(failure, 0, "NCCL unique id");
  if (!failure.empty()) throw Error("ncclGetUniqueId failed on rank 0: " + failure);
  group.broadcast(std::as_writable_bytes(std::span(id)), 0, "NCCL unique id");
  group.barrier("NCCL unique id");
  return id;
}

class NcclCollectives final : public Collectives {
 public:
  NcclCollectives(const NcclApi& api, HostGroup& group, Watchdog& watchdog, double abort_seconds)
      : api_(api),
        watchdog_(watchdog),
        rank_(group.rank()),
        size_(group.size()),
        abort_seconds_(abort_seconds),
        exceptions_(std::uncaught_exceptions()) {
    const NcclId id = share_unique_id(api_, group);
    const Watchdog::Phase phase(watchdog_, "NCCL start");
    last_ = "communicator start";
    settle(api_.comm_init_rank(comm_, size_, id, rank_));
  }

  ~NcclCollectives() override {
    if (!comm_) return;
    const Watchdog::Phase phase(watchdog_, "NCCL end");
    if (std::uncaught_exceptions() > exceptions_ || !finalized()) {
      abort();
    } else {
      api_.comm_destroy(comm_);
    }
  }

  std::string_view name() const override { return "nccl"; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void all_reduce_sum(Buffer buffer) override {
    const Watchdog::Phase phase(watchdog_, "all-reduce");
    if (buffer.count == 0) return;
    begin(concat("all-reduce of ", buffer.count,
                 buffer.type == DataType::kFloat32 ? " float32" : " float64"));
    settle(api_.all_reduce_sum(buffer.data, buffer.count, buffer.type, comm_, buffer.stream));
  }

  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    const Watchdog::Phase phase(watchdog_, "exchange");
    require_other_ranks(sends, *this);
    require_other_ranks(receives, *this);
    begin(describe_exchange(sends, receives));
    require(api_.group_start());
    for (const auto& [peer, buffer] : sends) {
      if (buffer.count > 0)
        require(api_.send(buffer.data, buffer.count, buffer.type, peer, comm_, buffer.stream));
    }
    for (const auto& [peer, buffer] : receives) {
      if (buffer.count > 0)
        require(api_.recv(buffer.data, buffer.count, buffer.type, peer, comm_, buffer.stream));
    }
    settle(api_.group_end());
  }

  void wait(void* stream) override {
    const Watchdog::Phase phase(watchdog_, "waiting for the device");
    require_communicator("wait");
    const auto start = std::chrono::steady_clock::now();
    for (CudaResult queued = kCudaNotReady; queued == kCudaNotReady;) {
      queued = api_.stream_query(stream);
      if (queued != kCudaSuccess && queued != kCudaNotReady) throw_device_error(queued);
      // Asked second: an error that came before the stream was done is seen.
      NcclResult state = kNcclSuccess;
      require(api_.comm_get_async_error(comm_, state));
      require(state);
      if (queued == kCudaNotReady) rest_since(start);
    }
  }

 private:
  void require_communicator(std::string_view call) const {
    if (!comm_)
      throw RankLostError(
          concat("NCCL ", call, " on rank ", rank_, ": the communicator was aborted"));
  }

  // Reports an error of the collective before at the latest.
  void begin(std::string collective) {
    require_communicator(collective);
    settle(kNcclSuccess);
    watchdog_.collective(collective);
    last_ = std::move(collective);
  }

  void require(NcclResult result) {
    if (result != kNcclSuccess && result != kNcclInProgress) fail(result);
  }

  // Until the communicator has taken the call; the watchdog's deadline runs meanwhile.
  void settle(NcclResult result) {
    require(result);
    NcclResult state = kNcclInProgress;
    while (state == kNcclInProgress) {
      require(api_.comm_get_async_error(comm_, state));
      wait_if(state);
    }
    require(state);
  }

  bool finalized() {
    NcclResult state = api_.comm_finalize(comm_);
    while (state == kNcclInProgress && api_.comm_get_async_error(comm_, state) == kNcclSuccess)
      wait_if(state);
    return state == kNcclSuccess;
  }

  static void wait_if(NcclResult state) {
    if (state == kNcclInProgress) std::this_thread::sleep_for(kPoll);
  }

  // A step ends within a millisecond or takes long: sleeping at once would cost short ones the
  // timer's slack.
  static void rest_since(std::chrono::steady_clock::time_point start) {
    if (std::chrono::steady_clock::now() - start < kSpin) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kPoll);
    }
  }

  [[noreturn]] void fail(NcclResult result) {
    const std::string message =
        concat("NCCL ", last_, " failed on rank ", rank_, " in ", watchdog_.position(), ": ",
               api_.error_string(result, comm_), " (code ", result, ")");
    abort();
    if (result == kNcclRemoteError || result == kNcclSystemError) {
      throw RankLostError(
          message + ". A peer or the network is gone; look for the first message of another rank");
    }
    throw Error(message + ". NCCL_DEBUG=WARN says more");
  }

  [[noreturn]] void throw_device_error(CudaResult result) {
    const std::string message =
        concat("the device failed on rank ", rank_, " in ", watchdog_.position(), " after NCCL ",
               last_, ": ", api_.stream_error_string(result), " (CUDA error ", result, ")");
    abort();
    throw Error(message + ". CUDA_LAUNCH_BLOCKING=1 shows which operation it was");
  }

  // ncclCommAbort is known to hang when peers are gone: it gets its own thread, which is left
  // behind at the deadline.
  void abort() {
    std::packaged_task<void()> task([call = api_.comm_abort, comm = std::exchange(comm_, nullptr)] {
      if (comm) call(comm);
    });
    const std::future<void> done = task.get_future();
    std::thread(std::move(task)).detach();
    done.wait_for(std::chrono::duration<double>(abort_seconds_));
  }

  const NcclApi api_;
  Watchdog& watchdog_;
  const int rank_;
  const int size_;
  const double abort_seconds_;
  const int exceptions_;
  NcclComm comm_ = nullptr;
  std::string last_;  // the collective that an error belongs to
};

}  // namespace

std::unique_ptr<Collectives> make_nccl_collectives(const NcclApi& api, HostGroup& group,
                                                   Watchdog& watchdog, double abort_seconds) {
  return std::make_unique<NcclCollectives>(api, group, watchdog, abort_seconds);
}

}  // namespace palimpsest
