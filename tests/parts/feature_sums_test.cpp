// What is true of every classifier that is computed from sums of features.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cctype>
#include <cmath>

#include "classifier_stream.h"

namespace palimpsest {
namespace {

class SumsOfFeatures : public ClassifierTest, public testing::WithParamInterface<const char*> {
 protected:
  std::string text() const { return GetParam(); }
};

TEST_P(SumsOfFeatures, AreTheSameOnEveryRank) {
  NamedTensors everywhere, memory = learned(text(), kBoth);
  for (const auto& [name, tensor] : memory)
    if (tensor.keeper == Keeper::kEveryRank) everywhere.put(name, tensor);
  group_.agree(hash_contents(everywhere), "the classifier", "test");
  EXPECT_EQ(scores(text(), memory, kBoth, dense(first_).f).size(1), 4);
}

// The memory of a run that continues has what is needed, and no more.
TEST_P(SumsOfFeatures, NeedWhatTheyKeep) {
  const NamedTensors memory = learned(text(), kBoth);
  if (group_.rank() != 0) return;
  const auto classifier = classifiers().make(text());
  EXPECT_THAT(classifier->needs(2).at(0).names, testing::UnorderedElementsAreArray(memory.names()));
  NamedTensors answers;
  const std::vector<NeededMemory> needed = classifier->needs_to_answer(2);
  for (const std::string& name : needed.at(0).names) answers.put(name, memory.at(name));
  EXPECT_NO_THROW(classifier->scores(answers, kBoth, at::kCPU));
  EXPECT_NO_THROW(classifier->check(memory, kBoth));
  EXPECT_THROW(classifier->check(memory, kFirst), Error);
  EXPECT_TRUE(classifier->needs(0).empty());
}

// The session knows no tasks, so that old samples can't be read; reading a test sample would throw.
TEST_P(SumsOfFeatures, ChooseByTheNewestTasksTrainingSamplesAlone) {
  const NamedTensors memory = learned(text(), kBoth);
  first_.test = second_.test = {.samples = {1'000'000}, .targets = {0}};
  EXPECT_EQ(learned(text(), kBoth), memory);
}

TEST_P(SumsOfFeatures, RefuseFeaturesThatAreNotFinite) {
  TaskPasses passes(session_, first_, *objective_);
  std::vector<float> weights(stream_.pretrained()->size(), NAN);
  NamedTensors memory;
  EXPECT_THROW(
      classifiers().make(text())->learn(passes, make_weights(std::move(weights)), kFirst, memory),
      DivergedError);
}

// Two samples; classes whose samples are all alike; a class of one sample.
TEST_P(SumsOfFeatures, LearnFromVeryFewSamples) {
  const std::vector<std::size_t> of_one_sample = {0, 1, 3, 4, 6};
  for (const std::vector<std::size_t>& places :
       {std::vector<std::size_t>{0, 1}, {0, 0, 0, 1, 1, 1, 1}, of_one_sample}) {
    second_.train = only(places);
    NamedTensors memory;
    learn(text(), second_, kFirst, memory);
    const at::Tensor found = scores(text(), memory, kFirst, dense(second_).f);
    EXPECT_TRUE(found.isfinite().all().item<bool>());
    if (places != of_one_sample) {
      EXPECT_TRUE(at::equal(found.argmax(1), at::tensor(second_.train.targets)))
          << text() << ", " << places.size() << " samples: " << found;
    }
    learn(text(), first_, kBoth, memory);
    EXPECT_TRUE(scores(text(), memory, kBoth, dense(first_).f).isfinite().all().item<bool>());
  }
}

TEST_P(SumsOfFeatures, CountWhatTheyKeep) {
  const NamedTensors memory = learned(text(), kBoth);
  if (group_.rank() != 0) return;
  double root = 0, everywhere = 0;
  for (const auto& [name, tensor] : memory) {
    (tensor.keeper == Keeper::kRoot ? root : everywhere) +=
        static_cast<double>(size_in_bytes(tensor.values));
  }
  const ClassifierCost cost =
      classifiers().make(text())->cost({.samples = first_.train.size(), .features = 32, .seen = 4});
  EXPECT_NEAR(cost.kept_on_root, root, 0.1 * root);
  EXPECT_GT(cost.kept_everywhere, 0.9 * everywhere);
  EXPECT_GT(cost.at_work, 0);
  EXPECT_GT(cost.operations, 0);
}

INSTANTIATE_TEST_SUITE_P(OfEveryKind, SumsOfFeatures,
                         testing::Values("ridge", "ridge:projection=50", "gaussian",
                                         "gaussian:covariance=class", "gaussian:drift=linear",
                                         "gaussian:covariance=class,drift=linear", "prototype"),
                         [](const auto& kind) {
                           std::string name(kind.param);
                           std::erase_if(name, [](char c) { return std::isalnum(c) == 0; });
                           return name;
                         });

}  // namespace
}  // namespace palimpsest
