#pragma once
// Small matrix products out of registers: c[r, j] = sum_k a(r, k) b[k, j], a tile at a time.
#include <ATen/cpu/vec/vec.h>

#include <cstdint>

namespace palimpsest::CPU_CAPABILITY {

using Vector = at::vec::Vectorized<float>;
constexpr std::int64_t kWidth = Vector::size();
// With two vectors' worth of columns, what fits in the registers of AVX2: 12 sums, 2 + 1 factors.
constexpr std::int64_t kTileRows = 6;
constexpr std::int64_t kTileVectors = 2;

inline std::int64_t rounded_up(std::int64_t count) {
  return (count + kWidth - 1) / kWidth * kWidth;
}

// a(r, k) = a[r * a_row + k * a_k]: its transpose is the same numbers with the strides swapped.
struct Factors {
  const float* a;
  std::int64_t a_row, a_k;
  const float* b;
  std::int64_t b_k;
  std::int64_t depth;
};

// A tile of up to kTileRows x kTileVectors vectors, the last of which has `last` numbers.
template <std::int64_t kRows, std::int64_t kVectors>
struct Tile {
  Vector sum[kRows][kVectors];

  // Adds the products of row `row` and column `column` on.
  template <bool kWhole>
  void add(const Factors& f, std::int64_t row, std::int64_t column, std::int64_t last) {
    const float* a = f.a + row * f.a_row;
    const float* b = f.b + column;
    for (std::int64_t k = 0; k < f.depth; ++k, a += f.a_k, b += f.b_k) {
      Vector right[kVectors];
#pragma GCC unroll 4
      for (std::int64_t v = 0; v < kVectors; ++v) {
        right[v] = kWhole || v + 1 < kVectors ? Vector::loadu(b + v * kWidth)
                                              : Vector::loadu(b + v * kWidth, last);
      }
#pragma GCC unroll 8
      for (std::int64_t r = 0; r < kRows; ++r) {
        const Vector left(a[r * f.a_row]);
#pragma GCC unroll 4
        for (std::int64_t v = 0; v < kVectors; ++v) {
          sum[r][v] = at::vec::fmadd(left, right[v], sum[r][v]);
        }
      }
    }
  }

  void clear() {
    for (auto& row : sum) {
      for (Vector& part : row) part = Vector(0.0f);
    }
  }
};

// Calls visit(tile, row, column, last) for every tile of a [rows, columns] result.
template <typename Visit>
void for_each_tile(std::int64_t rows, std::int64_t columns, const Visit& visit) {
  for (std::int64_t column = 0; column < columns; column += kTileVectors * kWidth) {
    const std::int64_t left = columns - column;
    const bool wide = left > kWidth;
    const std::int64_t last = wide ? (left < 2 * kWidth ? left - kWidth : kWidth) : left;
    const auto in_rows = [&]<std::int64_t kVectors>() {
      std::int64_t row = 0;
      const auto multiply_rows = [&]<std::int64_t kRows>() {
        for (; row + kRows <= rows; row += kRows) {
          Tile<kRows, kVectors> tile;
          visit(tile, row, column, last);
        }
      };
      multiply_rows.template operator()<kTileRows>();
      multiply_rows.template operator()<3>();
      multiply_rows.template operator()<1>();
    };
    wide ? in_rows.template operator()<2>() : in_rows.template operator()<1>();
  }
}

// c[r, j] = scale * sum_k a(r, k) b[k, j], or with kAdd added to what is there.
template <bool kAdd = false>
void multiply(const Factors& f, std::int64_t rows, std::int64_t columns, float scale, float* c,
              std::int64_t c_row) {
  for_each_tile(
      rows, columns,
      [&]<std::int64_t kRows, std::int64_t kVectors>(Tile<kRows, kVectors>& tile, std::int64_t row,
                                                     std::int64_t column, std::int64_t last) {
        tile.clear();
        last == kWidth ? tile.template add<true>(f, row, column, last)
                       : tile.template add<false>(f, row, column, last);
        for (std::int64_t r = 0; r < kRows; ++r) {
          float* to = c + (row + r) * c_row + column;
          for (std::int64_t v = 0; v < kVectors; ++v) {
            const std::int64_t count = v + 1 < kVectors ? kWidth : last;
            Vector value = tile.sum[r][v] * Vector(scale);
            if constexpr (kAdd) value = value + Vector::loadu(to + v * kWidth, count);
            count == kWidth ? value.store(to + v * kWidth) : value.store(to + v * kWidth, count);
          }
        }
      });
}

}  // namespace palimpsest::CPU_CAPABILITY
