// The main of every test program that runs under MPI: a test fails on all ranks when it fails on
// one, no rank enters the next test before all have left this one, and a program without tests
// fails. Rank 0 prints; other ranks print failures alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mpi.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "palimpsest/comm/mpi_session.h"

namespace {

constexpr unsigned kHangSeconds =
    120;  // for one test: SIGALRM ends a rank that waits for a peer forever

class AllRanks final : public testing::EmptyTestEventListener {
 public:
  AllRanks() {
    MPI_Comm_dup(MPI_COMM_WORLD, &comm_);
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
  }
  ~AllRanks() override { MPI_Comm_free(&comm_); }

  void OnTestStart(const testing::TestInfo&) override { alarm(kHangSeconds); }

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed() || rank_ == 0 || reducing_) return;
    std::ostringstream text;
    text << "[  rank " << rank_ << "  ] " << (result.file_name() ? result.file_name() : "?") << ":"
         << result.line_number() << ": " << result.message() << "\n";
    std::fputs(text.str().c_str(), stderr);
  }

  // Runs before the printer's, so that what is added here counts for this test.
  void OnTestEnd(const testing::TestInfo& test) override {
    const int failed_here = test.result()->Failed() ? 1 : 0;
    std::vector<int> failed(static_cast<std::size_t>(size_));
    MPI_Allgather(&failed_here, 1, MPI_INT, failed.data(), 1, MPI_INT, comm_);
    alarm(0);
    reducing_ = true;
    for (int rank = 0; rank < size_; ++rank) {
      if (failed[static_cast<std::size_t>(rank)] && rank != rank_)
        ADD_FAILURE() << "failed on rank " << rank;
    }
    reducing_ = false;
  }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  bool reducing_ = false;  // failures are those of other ranks, which print them themselves
};

bool is_root() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank == 0;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const palimpsest::MpiSession session;
  const auto& tests = *testing::UnitTest::GetInstance();
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (!is_root()) {
    delete listeners.Release(listeners.default_result_printer());
    delete listeners.Release(listeners.default_xml_generator());
  }
  auto* all_ranks = new AllRanks;
  listeners.Append(all_ranks);
  int code = RUN_ALL_TESTS();
  if (tests.test_to_run_count() == 0 && !GTEST_FLAG_GET(list_tests)) {
    if (is_root()) std::fputs("no test matches: a program without tests proves nothing\n", stderr);
    code = 1;
  }
  delete listeners.Release(all_ranks);
  return code;
}
