#pragma once
// Random numbers that are a pure function of their key: no generator has a state to save, and
// neither rank nor world size enters. The generator is Philox4x32-10 (Salmon et al., SC 2011).
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace palimpsest {

// What numbers are drawn for; part of the key, so that no two share a number. Never renumber: runs
// would draw others. Numbers left out were never used.
enum class Purpose : std::uint8_t {
  kAdapterInit = 1,
  kHeadInit = 2,
  kPerturbation = 3,
  kShuffle = 4,
  kAugmentation = 5,
  kMergeDrop = 6,
  kClassFeatures = 16,
  kFisherLabel = 17,
  kProjection = 18,
  kCurvatureSample = 19,
  kTest = 255,
};

// One Philox4x32-10 block: 128 random bits for a 128-bit counter under a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// The stream of numbers named by (seed, purpose, task, index): `index` is a step, a pass or a
// sample index.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t task, std::uint64_t index);

  std::uint32_t next();
  // Uniform in [0, 1), 53 bits.
  double uniform();
  // Uniform integer in [0, bound), without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

// A permutation of 0 .. size-1 (Fisher-Yates).
std::vector<std::int64_t> permutation(std::int64_t size, RandomStream stream);

// Fills with uniform values in [-bound, bound).
void fill_uniform(std::span<float> values, double bound, RandomStream stream);

// Fills with standard normal values, two at a time (Box and Muller, 1958).
void fill_normal(std::span<float> values, RandomStream stream);

}  // namespace palimpsest
