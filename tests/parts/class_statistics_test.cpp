#include "palimpsest/head/class_statistics.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;

// Numbers of different spread in every column, which depend on one another.
at::Tensor random_rows(std::int64_t samples, std::int64_t width) {
  at::Tensor values = at::empty({samples, width});
  fill_uniform({values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())}, 1,
               RandomStream(3, Purpose::kTest, 0, 0));
  return values.mul(at::arange(1, width + 1).rsqrt()).add(values.roll(1, 1));
}

at::Tensor covariance_of(const ClassStatistics& statistics, std::int64_t c) {
  const at::Tensor factor = statistics.factor[c].to(at::kDouble);
  return factor.t().mm(factor) + at::eye(factor.size(1)) * statistics.rest[c];
}

at::Tensor covariance_of(const at::Tensor& rows) { return rows.to(at::kDouble).t().cov(); }

TEST(ClassStatisticsTest, MeansByHand) {
  const std::vector<float> features = {1, 2, 5, 5, 3, 6};
  const std::vector<std::int64_t> targets = {0, 1, 0};
  EXPECT_THAT(class_means(features, targets, 2), ElementsAre(2, 4, 5, 5));
  EXPECT_THROW(class_means(features, targets, 3), Error);
  EXPECT_THROW(class_statistics(rows(features, 2), targets, 3), Error);
}

// (1, 2) and (3, 6): variances 2 and 8, covariance 4; and a class of one sample.
TEST(ClassStatisticsTest, CovarianceByHand) {
  const ClassStatistics found =
      class_statistics(rows({1, 2, 5, 5, 3, 6}, 2), std::vector<std::int64_t>{0, 1, 0}, 2);
  EXPECT_TRUE(at::equal(found.mean, rows({2, 4, 5, 5}, 2)));
  EXPECT_EQ(found.factor.sizes(), at::IntArrayRef({2, 1, 2}));
  EXPECT_TRUE(at::allclose(covariance_of(found, 0), rows({2, 4, 4, 8}, 2).to(at::kDouble)));
  EXPECT_TRUE(at::equal(covariance_of(found, 1), at::zeros({2, 2}, at::kDouble)));
}

TEST(ClassStatisticsTest, CovarianceIsExactForFewSamplesAndForFewFeatures) {
  for (const auto& [samples, width] : {std::pair(5, 9), {129, 140}, {300, 7}, {9, 9}, {10, 9}}) {
    const at::Tensor features = random_rows(samples, width);
    const ClassStatistics found =
        class_statistics(features, std::vector<std::int64_t>(static_cast<std::size_t>(samples)), 1);
    EXPECT_TRUE(at::allclose(covariance_of(found, 0), covariance_of(features), 1e-5, 1e-6))
        << samples << ' ' << width;
    EXPECT_EQ(found.rest[0].item<float>(), 0) << samples << ' ' << width;
  }
}

// Of more of both: the largest eigenvalues with their vectors, and the sum of all.
TEST(ClassStatisticsTest, CovarianceOfManySamplesKeepsItsLargestPart) {
  for (const std::int64_t samples : {131, 139, 400}) {
    const at::Tensor features = random_rows(samples, 140);
    const ClassStatistics found =
        class_statistics(features, std::vector<std::int64_t>(static_cast<std::size_t>(samples)), 1);
    EXPECT_EQ(found.factor.sizes(), at::IntArrayRef({1, kCovarianceRank, 140}));
    const at::Tensor expected = covariance_of(features), kept = covariance_of(found, 0);
    const auto [values, vectors] = at::linalg_eigh(expected);
    const at::Tensor top = vectors.narrow(1, 12, kCovarianceRank);
    EXPECT_TRUE(at::allclose(kept.mm(top), expected.mm(top), 1e-4, 1e-6)) << samples;
    EXPECT_NEAR(kept.trace().item<double>(), expected.trace().item<double>(), 1e-5);
    EXPECT_NEAR(found.rest[0].item<double>(), values.narrow(0, 0, 12).mean().item<double>(), 1e-7);
  }
}

TEST(ClassStatisticsTest, WhatIsDrawnHasMeanAndCovariance) {
  constexpr std::int64_t kDraws = 40'000;
  const ClassStatistics asked{.mean = rows({9, 9, 9, 1, -2, 0.5f}, 3),
                              .factor = at::stack({at::zeros({2, 3}), rows({2, 1, 0, 0, 0, 3}, 3)}),
                              .rest = at::tensor({0.0f, 0.5f})};
  const at::Tensor drawn = draw_features(asked, 1, 0.9, 0.25, {.seed = 7, .count = kDraws});
  ASSERT_EQ(drawn.sizes(), at::IntArrayRef({kDraws, 3}));
  const at::Tensor expected = covariance_of(asked, 1) + 0.25 * at::eye(3);
  const at::Tensor error = expected.diagonal().div(kDraws).sqrt();
  // Five standard errors.
  EXPECT_TRUE((drawn.mean(0) - 0.9 * asked.mean[1]).abs().le(5 * error).all().item<bool>());
  const at::Tensor variances = expected.diagonal();
  const at::Tensor deviations =
      (at::outer(variances, variances) + expected.square()).div(kDraws).sqrt();
  EXPECT_TRUE((covariance_of(drawn) - expected).abs().le(5 * deviations).all().item<bool>());
}

TEST(ClassStatisticsTest, ADrawIsAFunctionOfSeedTaskClassAndNumber) {
  const ClassStatistics one{
      .mean = at::zeros({1, 2}), .factor = at::ones({1, 1, 2}), .rest = at::ones({1})};
  const ClassDraws draws{.seed = 1, .task = 4, .label = 7, .first = 0, .count = 3};
  const auto drawn = [&](auto change) {
    ClassDraws changed = draws;
    change(changed);
    return draw_features(one, 0, 1, 0, changed);
  };
  const at::Tensor all = drawn([](ClassDraws&) {});
  EXPECT_TRUE(at::equal(all.narrow(0, 1, 2), drawn([](ClassDraws& d) {
                          d.first = 1;
                          d.count = 2;
                        })));
  EXPECT_FALSE(at::equal(all, drawn([](ClassDraws& d) { d.seed = 2; })));
  EXPECT_FALSE(at::equal(all, drawn([](ClassDraws& d) { d.task = 5; })));
  EXPECT_FALSE(at::equal(all, drawn([](ClassDraws& d) { d.label = 6; })));
}

}  // namespace
}  // namespace palimpsest
