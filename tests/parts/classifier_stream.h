#pragma once
// A classifier that learns two tasks of a tiny stream, and their features for a test to compute the
// same from.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/train/task_passes.h"
#include "support/tiny_stream.h"

namespace palimpsest {

// All that a task's samples say, in float64, without blocks and triangles.
struct Dense {
  at::Tensor f, y;  // [samples, features], one-hot [samples, classes of the task]

  at::Tensor gram() const { return f.t().mm(f); }
  at::Tensor moments() const { return y.t().mm(f); }
  at::Tensor counts() const { return y.sum(0); }
  at::Tensor means() const { return moments().div(counts().unsqueeze(1)); }
  // Rows of a class around their mean.
  at::Tensor centred(std::int64_t c) const { return f.index({y.select(1, c).eq(1)}) - means()[c]; }
  Dense only(bool kept_out) const {
    const at::Tensor chosen = at::arange(f.size(0)).remainder(5).eq(4).eq(kept_out);
    return {f.index({chosen}), y.index({chosen})};
  }
};

inline const ClassesSeen kFirst{.by_task = {2}}, kBoth{.by_task = {2, 2}};
inline const ClassesSeen kShared{.by_task = {2, 2}, .shared = true};

class ClassifierTest : public StreamTest {
 protected:
  ClassifierTest() : StreamTest(true), session_(stream_.session({})), first_(stream_.task()) {
    first_.test = {};
    second_ = first_;
    second_.index = 1;
    second_.train = only({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});  // no multiple of five
  }

  // Of the first task's training samples, a place each; the class follows from the sample.
  LabelledSamples only(const std::vector<std::size_t>& places) const {
    LabelledSamples some;
    for (const std::size_t place : places) {
      some.samples.push_back(first_.train.samples[place]);
      some.targets.push_back(first_.train.targets[place]);
    }
    return some;
  }

  Dense dense(const Task& task) {
    TaskPasses passes(session_, task, *objective_);
    return {passes.features(stream_.pretrained()).to(at::kDouble),
            at::one_hot(at::tensor(task.train.targets), 2).to(at::kDouble)};
  }

  void learn(const std::string& text, const Task& task, const ClassesSeen& seen,
             NamedTensors& memory) {
    TaskPasses passes(session_, task, *objective_, before_);
    classifiers().make(text)->learn(passes, stream_.pretrained(), seen, memory);
  }

  // Of the two tasks; or of the first one.
  NamedTensors learned(const std::string& text, const ClassesSeen& seen) {
    NamedTensors memory;
    learn(text, first_, {.by_task = {2}, .shared = seen.shared}, memory);
    if (seen.by_task.size() > 1) learn(text, second_, seen, memory);
    return memory;
  }

  at::Tensor scores(const std::string& text, const NamedTensors& memory, const ClassesSeen& seen,
                    const at::Tensor& features) {
    return classifiers()
        .make(text)
        ->scores(memory, seen, at::kCPU)(features.to(at::kFloat))
        .to(at::kDouble);
  }

  Session session_;
  AdaptedWeights before_ = stream_.pretrained();
  const std::unique_ptr<Objective> objective_ = objectives().make("classes");
  Task first_, second_;
};

inline void expect_near(const at::Tensor& found, const at::Tensor& expected) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  EXPECT_LT((found.to(at::kDouble) - expected).norm().item<double>(),
            1e-4 * expected.norm().item<double>());
}

// Of every row, without what all classes share.
inline at::Tensor contrasts(const at::Tensor& scores) { return scores - scores.mean(1, true); }

}  // namespace palimpsest
