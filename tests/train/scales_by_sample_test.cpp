// A perturbation may give every sample its own scale: how a step distributes them, and what the
// model makes of them.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "palimpsest/train/step_input.h"
#include "palimpsest/train/task_parameters.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

class ScalesBySample : public StreamTest, public testing::WithParamInterface<bool> {
 protected:
  ScalesBySample() : StreamTest(GetParam()) { stream_.config.perturbation = "stratified"; }
};

// Samples of many lengths in one batch: each as if it were alone in the model scaled by its c.
TEST_P(ScalesBySample, EverySampleSeesItsOwnScale) {
  Session session = stream_.session({});
  const TaskParameters parameters(*session.model, 0, 2, make_training_parts(stream_.config));
  parameters.values().flat().copy_(at::randn({parameters.values().size()}).mul_(0.3));
  const std::vector<std::int64_t> positions{0, 1, 2, 3, 4};
  const at::Tensor c = at::tensor({0.5F, 1.0F, 1.5F, 1.5F, 0.5F});
  const Batch batch = session.reader().test_batch(stream_.task().train, positions);
  const AdapterOptions each{.lora = &parameters.lora(), .c = c};
  const at::Tensor ours = session.model->features(batch, each).detach();
  if (GetParam()) {
    const Batch filled_up{.samples = padded(std::get<Texts>(batch.samples), at::kCPU),
                          .targets = batch.targets};
    EXPECT_TRUE(at::allclose(session.model->features(filled_up, each).detach(), ours, 1e-4, 1e-4));
  }
  for (std::size_t n = 0; n < positions.size(); ++n) {
    const auto row = static_cast<std::int64_t>(n);
    session.model->layers().set_adapter(parameters.lora(), c[row]);
    const Batch alone =
        session.reader().test_batch(stream_.task().train, std::span(&positions[n], 1));
    const at::Tensor theirs =
        session.model->features(alone, {.lora = &parameters.lora(), .c = c[row]}).detach();
    EXPECT_TRUE(at::allclose(ours[row], theirs[0], 1e-4, 1e-4)) << "sample " << n;
  }
}

TEST_P(ScalesBySample, AStepHandsEverySampleTheScaleOfItsPlaceInTheBatch) {
  Session session = stream_.session({});
  std::vector<std::int64_t> all_lanes{0, 1, 2, 3};
  const auto perturbation = perturbations().make(stream_.config.perturbation);
  StepReader reader(session, stream_.task(), *perturbation, all_lanes);
  const StepInput input = reader.read(1);
  EXPECT_EQ(input.perturbation.by_sample,
            perturbation->draw({stream_.config.seed, 0, 1}, std::ssize(input.positions)).by_sample);
  std::vector<float> scales;
  for (const std::optional<Batch>& lane : input.lanes) {
    ASSERT_EQ(lane->numbers.numel(), lane->size());
    scales.insert(scales.end(), lane->numbers.const_data_ptr<float>(),
                  lane->numbers.const_data_ptr<float>() + lane->numbers.numel());
  }
  EXPECT_THAT(scales, testing::UnorderedElementsAreArray(input.perturbation.by_sample));
  // Another distribution, the same scale for every sample.
  for (std::int64_t lane = 0; lane < 4; ++lane) {
    StepReader one(session, stream_.task(), *perturbation, {lane});
    EXPECT_TRUE(at::equal(one.read(1).lanes[0]->numbers,
                          input.lanes[static_cast<std::size_t>(lane)]->numbers));
  }
}

INSTANTIATE_TEST_SUITE_P(Packs, ScalesBySample, testing::Bool(),
                         [](const auto& pack) { return pack.param ? "Texts" : "Images"; });

}  // namespace
}  // namespace palimpsest
