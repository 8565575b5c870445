#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "attention_rows.h"
#include "variants.h"

namespace palimpsest::CPU_CAPABILITY {
namespace {

constexpr std::int64_t kQueries = 8 * kTileRows;  // whose weights are in memory at a time

// Queries first .. first + rows - 1, and the keys that any of them sees: `begin` is a multiple of a
// vector's width, as is `padded`, the number of columns of their scores.
struct Block {
  std::int64_t first, rows;
  std::int64_t begin, keys, padded;
};

template <typename Visit>
void for_each_block(const CausalHeads& heads, const Visit& visit) {
  for (std::int64_t first = 0; first < heads.tokens; first += kQueries) {
    const std::int64_t rows = std::min(kQueries, heads.tokens - first), end = first + rows;
    const std::int64_t seen =
        heads.window > 0 ? std::max<std::int64_t>(first - heads.window + 1, 0) : 0;
    const std::int64_t begin = seen / kWidth * kWidth;
    visit(Block{first, rows, begin, end - begin, rounded_up(end - begin)});
  }
}

// scores[i, j] = q_i . k_j / sqrt(size), -inf where query i doesn't see key j. columns: all keys.
void score(const CausalHeads& heads, const Block& block, const float* query, const float* columns,
           float* scores) {
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  multiply({query + block.first * heads.query_stride, heads.query_stride, 1, columns + block.begin,
            rounded_up(heads.tokens), heads.size},
           block.rows, block.padded, 1 / std::sqrt(static_cast<float>(heads.size)), scores,
           block.padded);
  for (std::int64_t i = 0; i < block.rows; ++i) {
    float* row = scores + i * block.padded;
    const std::int64_t place = block.first + i - block.begin;  // of this query's key
    const std::int64_t first =
        heads.window > 0 ? std::max<std::int64_t>(place - heads.window + 1, 0) : 0;
    std::fill(row, row + first, kHidden);
    std::fill(row + place + 1, row + block.padded, kHidden);
  }
}

// Hands out pieces of the scratch memory.
class Scratch {
 public:
  explicit Scratch(float* begin) : next_(begin) {}
  float* take(std::int64_t count) { return std::exchange(next_, next_ + count); }

 private:
  float* next_;
};

void scatter(const float* rows, std::int64_t count, std::int64_t size, float* to,
             std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i) std::copy_n(rows + i * size, size, to + i * stride);
}

}  // namespace

// Keys and values as columns, keys as rows and their gradients, and what a block needs.
std::int64_t causal_attention_scratch(const CausalHeads& heads) {
  const std::int64_t padded = rounded_up(heads.tokens);
  return heads.size * (2 * padded + 3 * heads.tokens + 2 * kQueries) + 2 * kQueries * padded;
}

void causal_attention(const CausalHeads& heads, float* out, std::int64_t out_stride,
                      float* log_sums, float* scratch) {
  Scratch memory(scratch);
  const std::int64_t padded = rounded_up(heads.tokens), size = heads.size;
  float* keys = memory.take(size * padded);
  transpose(heads.key, heads.key_stride, heads.tokens, size, keys);
  const float* values =
      gather(heads.value, heads.value_stride, heads.tokens, size, memory.take(heads.tokens * size));
  float* weights = memory.take(kQueries * padded);
  for (std::int64_t head = 0; head < heads.queries; ++head) {
    for_each_block(heads, [&](const Block& block) {
      score(heads, block, heads.query + head * size, keys, weights);
      for (std::int64_t i = 0; i < block.rows; ++i) {
        log_sums[head * heads.tokens + block.first + i] =
            softmax(weights + i * block.padded, block.padded);
      }
      multiply({weights, block.padded, 1, values + block.begin * size, size, block.keys},
               block.rows, size, 1, out + block.first * out_stride + head * size, out_stride);
    });
  }
}

// The formulas of attention_backward, a block of queries at a time; the sums over heads and blocks
// are made in their order.
void causal_attention_backward(const CausalHeads& heads, const float* g, std::int64_t g_stride,
                               const float* log_sums, const CausalGradients& gradients,
                               float* scratch) {
  Scratch memory(scratch);
  const std::int64_t tokens = heads.tokens, padded = rounded_up(tokens), size = heads.size;
  float *keys = memory.take(size * padded), *values = memory.take(size * padded);
  transpose(heads.key, heads.key_stride, tokens, size, keys);
  transpose(heads.value, heads.value_stride, tokens, size, values);
  const float* key_rows =
      gather(heads.key, heads.key_stride, tokens, size, memory.take(tokens * size));
  float *key_sums = memory.take(tokens * size), *value_sums = memory.take(tokens * size);
  std::fill_n(key_sums, 2 * tokens * size, 0.0f);
  float *out_rows = memory.take(kQueries * size), *query_rows = memory.take(kQueries * size);
  float *weights = memory.take(kQueries * padded), *slopes = memory.take(kQueries * padded);
  const float factor = 1 / std::sqrt(static_cast<float>(size));
  for (std::int64_t head = 0; head < heads.queries; ++head) {
    const float* query = heads.query + head * size;
    for_each_block(heads, [&](const Block& block) {
      score(heads, block, query, keys, weights);
      for (std::int64_t i = 0; i < block.rows; ++i) {
        exponentials(weights + i * block.padded, block.padded,
                     log_sums[head * tokens + block.first + i]);
      }
      gather(g + block.first * g_stride + head * size, g_stride, block.rows, size, out_rows);
      multiply<true>({weights, 1, block.padded, out_rows, size, block.rows}, block.keys, size, 1,
                     value_sums + block.begin * size, size);
      multiply({out_rows, size, 1, values + block.begin, padded, size}, block.rows, block.padded, 1,
               slopes, block.padded);
      for (std::int64_t i = 0; i < block.rows; ++i) {
        softmax_backward(weights + i * block.padded, slopes + i * block.padded, block.padded,
                         factor);
      }
      multiply({slopes, block.padded, 1, key_rows + block.begin * size, size, block.keys},
               block.rows, size, 1,
               gradients.query + block.first * gradients.query_stride + head * size,
               gradients.query_stride);
      gather(query + block.first * heads.query_stride, heads.query_stride, block.rows, size,
             query_rows);
      multiply<true>({slopes, 1, block.padded, query_rows, size, block.rows}, block.keys, size, 1,
                     key_sums + block.begin * size, size);
    });
  }
  scatter(key_sums, tokens, size, gradients.key, gradients.shared_stride);
  scatter(value_sums, tokens, size, gradients.value, gradients.shared_stride);
}

}  // namespace palimpsest::CPU_CAPABILITY
