#pragma once
// Delta, the task vector, and its arithmetic on the flat adapted vector. These loops define Delta's
// bits: the run and the offline tools use the same ones.
#include <cstdint>
#include <span>

namespace palimpsest {

// Delta = s * B A for one module (docs/how-it-works.md, "The setting"): each element is accumulated
// over the rank in double, in order, multiplied by `scale` and rounded once. a: [rank, in], b:
// [out, rank], delta: [out, in], all row-major.
void task_vector(std::span<const float> a, std::span<const float> b, std::int64_t rank,
                 std::int64_t out, std::int64_t in, double scale, std::span<float> delta);

// weights += alpha * direction, element by element, computed in double and rounded once: a merge in
// place.
void add_scaled(std::span<float> weights, double alpha, std::span<const float> direction);

}  // namespace palimpsest
