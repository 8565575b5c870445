#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "classifier_stream.h"
#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

using PrototypeClassifier = ClassifierTest;

TEST_F(PrototypeClassifier, ScoresByCosinesWithTheMeansOfAllClasses) {
  const Dense one = dense(first_), two = dense(second_);
  const at::Tensor means = at::cat({one.means(), two.means()});
  const NamedTensors memory = learned("prototype", kBoth);
  const at::Tensor cosines = directions(one.f).mm(directions(means).t());
  expect_near(scores("prototype", memory, kBoth, one.f), cosines);
  // Exporters take the weight: on features of any length it orders the classes alike.
  const auto& weight = memory.values<float>("classifier/prototype/weight", {4, 32});
  expect_near(at::tensor(weight).view({4, 32}), directions(means));
  group_.agree(weights_hash(weight), "the classifier", "test");
}

TEST_F(PrototypeClassifier, AddsUpTheClassesThatTasksShare) {
  const Dense one = dense(first_), two = dense(second_);
  const at::Tensor means =
      (one.moments() + two.moments()) / (one.counts() + two.counts()).unsqueeze(1);
  expect_near(scores("prototype", learned("prototype", kShared), kShared, one.f),
              directions(one.f).mm(directions(means).t()));
}

TEST_F(PrototypeClassifier, KeepsMeansOnTheRootAndDirectionsEverywhere) {
  const NamedTensors memory = learned("prototype", kFirst);
  if (group_.rank() != 0) {
    EXPECT_THAT(memory.names(), ElementsAre("classifier/prototype/weight"));
    return;
  }
  EXPECT_THAT(memory.names(), ElementsAre("classifier/prototype/count", "classifier/prototype/mean",
                                          "classifier/prototype/weight"));
  const auto prototype = classifiers().make("prototype");
  EXPECT_NO_THROW(prototype->check(memory, kFirst));
  EXPECT_THAT([&] { prototype->check(memory, kBoth); },
              ThrowsMessage<Error>(HasSubstr("classifier/prototype/weight: expected")));
  EXPECT_EQ(prototype->needs(1).at(0).names.size(), 3u);
}

TEST_F(PrototypeClassifier, RefusesAClassWithoutASample) {
  if (group_.size() > 1) return;  // rank 0 alone throws, which ends a job
  first_.train = only({0, 2, 5});  // all of class 0
  EXPECT_THROW(learned("prototype", kFirst), Error);
}

}  // namespace
}  // namespace palimpsest
