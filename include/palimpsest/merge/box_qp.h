#pragma once
// The lowest point of a convex quadratic in a box.
#include <span>
#include <vector>

namespace palimpsest {

// Moves x, in [0, 1]^n, to where 1/2 x' G x - b' x is lowest in [0, 1]^n. G: [n, n], row-major,
// symmetric, positive semidefinite; b: [n]. Coordinate descent from the given x: a component that
// G doesn't see (a zero on its diagonal) stays as it is. Throws Error on sizes that don't fit or a
// number that is not finite.
void solve_box_qp(std::span<const double> g, std::span<const double> b, std::span<double> x);

}  // namespace palimpsest
