// Signals that come while matrices are multiplied.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "palimpsest/core/process.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/model/frozen_product.h"

namespace palimpsest {
namespace {

volatile std::sig_atomic_t handled = 0;

extern "C" void count_signal(int) { handled = handled + 1; }

// As many products as two seconds take, with a signal about twice a millisecond, which comes to the
// first thread, as one from outside does. Each one's memory is allocated and freed, which finds a
// heap that was written over.
[[noreturn]] void multiply_under_signals() {
  const c10::NoGradGuard no_grad;
  handle_signal(SIGUSR2, count_signal);
  std::thread([] {
    for (;; std::this_thread::sleep_for(std::chrono::microseconds(500)))
      ::kill(::getpid(), SIGUSR2);
  }).detach();
  const at::Tensor w = at::randn({1536, 576});
  bool is_right = true;
  const Stopwatch watch;
  for (std::int64_t rows = 700; watch.seconds() < 2; rows = 700 + (rows + 37) % 400) {
    const at::Tensor g = at::ones({rows, 1536});
    const at::Tensor product = frozen_product_backward(g, w, GemmLibrary::kOneDnn);
    is_right = is_right && at::allclose(product[0], w.sum(0), 1e-3, 1e-3) &&
               at::equal(product[0], product[rows - 1]);
  }
  std::_Exit(is_right && handled > 100 ? 0 : 1);
}

TEST(Signals, AHandlerLeavesTheHeapOfAProductAsItIs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(multiply_under_signals(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace palimpsest
