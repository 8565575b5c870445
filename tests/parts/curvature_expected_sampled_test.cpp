#include <gmock/gmock.h>

#include "parts/curvature_stream.h"

namespace palimpsest {
namespace {

using ExpectedSampledCurvature = CurvatureStream;

// The mean over seeds approaches the exact sum: in projections on random directions, within five
// standard errors of the mean, as the draws show them (their noise may be estimated: 150 of them).
TEST_F(ExpectedSampledCurvature, DrawnLabelsHaveTheExactFisherAsTheirMean) {
  constexpr std::uint64_t kSeeds = 150;
  const Head head = random_head();
  const Fisher exact = measured("expected-exact", head);
  const auto size = exact.values.size();
  std::vector<std::vector<float>> directions{std::vector<float>(size, 1)};
  for (std::uint64_t d = 1; d < 8; ++d) {
    directions.emplace_back(size);
    fill_uniform(directions.back(), 1, RandomStream(9, Purpose::kTest, 1, d));
  }
  const auto along = [&](const Fisher& fisher, const std::vector<float>& direction) {
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += double{fisher.values[i]} * direction[i];
    return sum;
  };
  std::vector<double> sums(directions.size()), squares(directions.size());
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Fisher drawn = measured("expected-sampled", head, seed);
    EXPECT_EQ(drawn.loss, exact.loss) << "the loss is that of the true labels";
    for (std::size_t d = 0; d < directions.size(); ++d) {
      const double value = along(drawn, directions[d]);
      sums[d] += value;
      squares[d] += value * value;
    }
  }
  for (std::size_t d = 0; d < directions.size(); ++d) {
    const double mean = sums[d] / kSeeds, variance = squares[d] / kSeeds - mean * mean;
    EXPECT_GT(variance, 0);
    EXPECT_NEAR(mean, along(exact, directions[d]), 5 * std::sqrt(variance / kSeeds)) << d;
  }
  // It is another number than the empirical one, which a bound so wide must be able to distinguish.
  const double spread = std::sqrt((squares[0] / kSeeds - std::pow(sums[0] / kSeeds, 2)) / kSeeds);
  EXPECT_GT(std::abs(along(measured("empirical", head), directions[0]) - sums[0] / kSeeds),
            5 * spread);
}

TEST_F(ExpectedSampledCurvature, LabelsFollowTheSampleAndNotTheChunk) {
  const Head head = random_head();
  const Fisher whole = measured("expected-sampled", head);
  stream_.config.evaluation_batch = 1;
  const Fisher one_by_one = measured("expected-sampled", head);
  ASSERT_EQ(whole.samples, one_by_one.samples);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < whole.values.size(); ++i) {
    difference += std::pow(whole.values[i] - one_by_one.values[i], 2);
    size += std::pow(whole.values[i], 2);
  }
  EXPECT_LT(std::sqrt(difference / size), 1e-4);
}

TEST_F(ExpectedSampledCurvature, DrawsALabelForEverySampleAndGoesBackOnce) {
  const auto curvature = curvatures().make("expected-sampled");
  EXPECT_TRUE(curvature->draws());
  EXPECT_EQ(curvature->backward_passes(7), 1);
  EXPECT_EQ(curvature->recorded_kind(), "expected-sampled-per-sample");
}

}  // namespace
}  // namespace palimpsest
