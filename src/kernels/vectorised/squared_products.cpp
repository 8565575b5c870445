#include "tile.h"
#include "variants.h"

namespace palimpsest::CPU_CAPABILITY {
namespace {

constexpr std::int64_t kColumns = kTileVectors * kWidth;

// Columns first .. first + width - 1 of [rows, columns] as [rows, width], zeros beyond the last.
void take_columns(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                  std::int64_t first, std::int64_t width, float* into) {
  const std::int64_t whole = columns - first < width ? columns - first : width;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < whole; ++c) into[r * width + c] = from[r * stride + first + c];
    for (std::int64_t c = whole; c < width; ++c) into[r * width + c] = 0;
  }
}

std::int64_t panels(std::int64_t out) { return (out + kTileRows - 1) / kTileRows; }

}  // namespace

std::int64_t squared_products_scratch(std::int64_t tokens, std::int64_t out) {
  return tokens * (panels(out) * kTileRows + kColumns);
}

// Both factors in panels as wide as a tile, so that a tile reads what lies side by side, for all
// samples one after another.
void add_squared_products(const float* g, std::int64_t g_stride, const float* x,
                          std::int64_t x_stride, const std::int64_t* lengths, std::int64_t samples,
                          float* sum, std::int64_t out, std::int64_t in, float* scratch) {
  std::int64_t tokens = 0;
  for (std::int64_t n = 0; n < samples; ++n) tokens += lengths[n];
  float* x_panel = scratch + tokens * panels(out) * kTileRows;
  for (std::int64_t p = 0; p < panels(out); ++p) {
    take_columns(g, g_stride, tokens, out, p * kTileRows, kTileRows,
                 scratch + p * tokens * kTileRows);
  }
  for (std::int64_t column = 0; column < in; column += kColumns) {
    take_columns(x, x_stride, tokens, in, column, kColumns, x_panel);
    for (std::int64_t p = 0; p < panels(out); ++p) {
      Factors f{scratch + p * tokens * kTileRows, 1, kTileRows, x_panel, kColumns, 0};
      alignas(64) float total[kTileRows][kColumns] = {};
      for (std::int64_t n = 0; n < samples; ++n) {
        f.depth = lengths[n];
        Tile<kTileRows, kTileVectors> tile;
        tile.clear();
        tile.add<true>(f, 0, 0, kWidth);
        for (std::int64_t r = 0; r < kTileRows; ++r) {
          for (std::int64_t v = 0; v < kTileVectors; ++v) {
            const Vector before = Vector::loadu(total[r] + v * kWidth);
            at::vec::fmadd(tile.sum[r][v], tile.sum[r][v], before).store(total[r] + v * kWidth);
          }
        }
        f.a += lengths[n] * kTileRows;
        f.b += lengths[n] * kColumns;
      }
      for (std::int64_t r = 0; r < kTileRows && p * kTileRows + r < out; ++r) {
        float* to = sum + (p * kTileRows + r) * in + column;
        for (std::int64_t c = 0; c < kColumns && column + c < in; ++c) to[c] += total[r][c];
      }
    }
  }
}

}  // namespace palimpsest::CPU_CAPABILITY
